#include "formats/archive/atomic_file.h"
#include "formats/archive/mapped_file.h"
#include "formats/archive/zip_reader.h"
#include "formats/archive/zip_writer.h"
#include "formats/tensors/npy.h"
#include "formats/tensors/tensor_files.h"

namespace qdq {
namespace {

constexpr std::string_view kSuffix = ".npy";

std::span<const std::byte> bytes_of(const Tensor& contiguous) {
  if (contiguous.nbytes() == 0) return {};
  return {contiguous.raw_data(), contiguous.nbytes()};
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
    if (!entry.name.ends_with(kSuffix)) throw zip.error(entry, "expected a name that ends in .npy");
    std::span<std::byte> bytes;
    std::shared_ptr<void> owner = zip.file();
    if (entry.method == ZipMethod::stored) {
      if (options.verify_weights) zip.verify_checksum(entry);
      bytes = zip.stored_bytes(entry);
    } else {
      auto inflated = std::make_shared<std::vector<std::byte>>(zip.inflate(entry));
      bytes = *inflated;
      owner = std::move(inflated);
    }
    try {
      tensors.push_back(
          {entry.name.substr(0, entry.name.size() - kSuffix.size()), npy::parse(bytes, std::move(owner))});
    } catch (const npy::Error& error) {
      throw zip.error(entry, "at byte " + std::to_string(error.offset) + " of the entry: " + error.what);
    }
  }
  return tensors;
}

void save_npz(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  AtomicFile file(path);
  ZipWriter zip(file);
  for (const NamedTensor& tensor : tensors) {
    const Tensor value = tensor.value.contiguous();
    const std::string header = npy::header(value, tensor.name);
    const std::span<const std::byte> data = bytes_of(value);
    zip.add(tensor.name + std::string(kSuffix), {std::as_bytes(std::span(header)), data});
  }
  zip.finish();
  file.commit();
}

}  // namespace qdq
