#include <array>

#include "formats/archive/atomic_file.h"
#include "formats/archive/inflating_reader.h"
#include "formats/archive/mapped_file.h"
#include "formats/archive/zip_reader.h"
#include "formats/archive/zip_writer.h"
#include "formats/tensors/npy.h"
#include "formats/tensors/tensor_files.h"
#include "formats/tensors/tensor_readers.h"

namespace qdq {
namespace {

constexpr std::string_view kSuffix = ".npy";

std::span<const std::byte> bytes_of(const Tensor& contiguous) {
  if (contiguous.nbytes() == 0) return {};
  return {contiguous.raw_data(), contiguous.nbytes()};
}

std::string array_name(const ZipReader& zip, const ZipEntry& entry) {
  if (!entry.name.ends_with(kSuffix)) throw zip.error(entry, "expected a name that ends in .npy");
  return entry.name.substr(0, entry.name.size() - kSuffix.size());
}

FormatError npy_error(const ZipReader& zip, const ZipEntry& entry, const npy::Error& error) {
  return zip.error(entry, "at byte " + std::to_string(error.offset) + " of the entry: " + error.what);
}

Tensor load_entry(const ZipReader& zip, const ZipEntry& entry) {
  try {
    if (entry.method == ZipMethod::stored) return npy::parse(zip.stored_bytes(entry), zip.file());
    const auto inflated = std::make_shared<std::vector<std::byte>>(zip.inflate(entry));
    return npy::parse(*inflated, inflated);
  } catch (const npy::Error& error) {
    throw npy_error(zip, entry, error);
  }
}

npy::Header read_header(const ZipEntry& entry, InflatingReader& source) {
  std::vector<std::byte> bytes(std::min<std::size_t>(npy::kPrefixSize, entry.size));
  source.read(0, bytes);
  bytes.resize(std::min<std::size_t>(npy::header_size(bytes), entry.size));
  source.read(0, bytes);
  return npy::parse_header(bytes);
}

class InflatingTensorReader : public TensorReader {
 public:
  InflatingTensorReader(std::shared_ptr<const ZipReader> zip, const ZipEntry& entry,
                        std::unique_ptr<InflatingReader> source, const npy::Header& header)
      : TensorReader(array_name(*zip, entry), header.dtype, header.sizes),
        zip_(std::move(zip)),
        source_(std::move(source)),
        start_(header.size) {}

 private:
  void read_bytes(std::uint64_t offset, std::span<std::byte> destination) override {
    source_->read(start_ + offset, destination);
    zip_->file()->forget_pages();
  }
  std::shared_ptr<const ZipReader> zip_;
  std::unique_ptr<InflatingReader> source_;
  std::size_t start_;  // of the data in the entry
};

std::unique_ptr<TensorReader> open_entry(const std::shared_ptr<const ZipReader>& zip, const ZipEntry& entry) {
  const std::string name = array_name(*zip, entry);
  try {
    const bool is_stored = entry.method == ZipMethod::stored;
    auto source = is_stored ? nullptr : std::make_unique<InflatingReader>(*zip, entry);
    const npy::Header header = is_stored ? npy::parse_header(zip->stored_bytes(entry)) : read_header(entry, *source);
    npy::check_size(header, entry.size);
    if (header.fortran_order) return open_tensor({name, load_entry(*zip, entry)});
    if (!is_stored) return std::make_unique<InflatingTensorReader>(zip, entry, std::move(source), header);
    return mapped_reader(name, header.dtype, header.sizes, zip->stored_bytes(entry).data() + header.size, zip->file());
  } catch (const npy::Error& error) {
    throw npy_error(*zip, entry, error);
  }
}

}  // namespace

std::vector<NamedTensor> load_npy(const std::filesystem::path& path, const LoadOptions&) {
  const auto file = MappedFile::open(path);
  try {
    return {{path.stem().string(), npy::parse({file->data(), file->size()}, file)}};
  } catch (const npy::Error& error) {
    throw FormatError("[load] " + path.string() + " at byte " + std::to_string(error.offset) + ": " + error.what);
  }
}

std::vector<std::unique_ptr<TensorReader>> open_npy(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::span<std::byte> bytes(file->data(), file->size());
  std::vector<std::unique_ptr<TensorReader>> readers;
  try {
    const npy::Header header = npy::parse_header(bytes);
    npy::check_size(header, bytes.size());
    const std::string name = path.stem().string();
    if (header.fortran_order)
      readers.push_back(open_tensor({name, npy::parse(bytes, file)}));
    else
      readers.push_back(mapped_reader(name, header.dtype, header.sizes, file->data() + header.size, file));
  } catch (const npy::Error& error) {
    throw FormatError("[load] " + path.string() + " at byte " + std::to_string(error.offset) + ": " + error.what);
  }
  return readers;
}

void save_npy(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  if (tensors.size() != 1)
    throw InvalidArgumentError("[save] " + path.string() + ": a .npy holds one tensor, got " +
                               std::to_string(tensors.size()));
  const Tensor value = tensors[0].value.contiguous();
  AtomicFile file(path);
  file.write(npy::header(value, tensors[0].name));
  file.write(bytes_of(value));
  file.commit();
}

std::vector<NamedTensor> load_npz(const std::filesystem::path& path, const LoadOptions& options) {
  const ZipReader zip(MappedFile::open(path));
  std::vector<NamedTensor> tensors;
  for (const ZipEntry& entry : zip.entries()) {
    if (options.verify_weights && entry.method == ZipMethod::stored) zip.verify_checksum(entry);
    tensors.push_back({array_name(zip, entry), load_entry(zip, entry)});
  }
  return tensors;
}

std::vector<std::unique_ptr<TensorReader>> open_npz(const std::filesystem::path& path) {
  const auto zip = std::make_shared<const ZipReader>(MappedFile::open(path));
  std::vector<std::unique_ptr<TensorReader>> readers;
  for (const ZipEntry& entry : zip->entries()) readers.push_back(open_entry(zip, entry));
  return readers;
}

void save_npz(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  AtomicFile file(path);
  ZipWriter zip(file);
  for (const NamedTensor& tensor : tensors) {
    const Tensor value = tensor.value.contiguous();
    const std::string header = npy::header(value, tensor.name);
    const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(header)), bytes_of(value)};
    zip.add(tensor.name + std::string(kSuffix), parts);
  }
  zip.finish();
  file.commit();
}

}  // namespace qdq
