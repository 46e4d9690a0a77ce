#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>

#include "base/checked.h"
#include "formats/archive/atomic_file.h"
#include "formats/archive/mapped_file.h"
#include "formats/json/json.h"
#include "formats/json/json_writer.h"
#include "formats/tensors/tensor_files.h"
#include "formats/tensors/tensor_readers.h"

// https://github.com/huggingface/safetensors#format: 8 bytes header length, a JSON header of
// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}}, then the data without gaps.
namespace qdq {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit

struct Row {
  DType dtype;
  std::string_view name;
};
constexpr std::array<Row, 17> kTypes = {{{DType::float32, "F32"},
                                         {DType::float16, "F16"},
                                         {DType::bfloat16, "BF16"},
                                         {DType::float64, "F64"},
                                         {DType::int8, "I8"},
                                         {DType::uint8, "U8"},
                                         {DType::int16, "I16"},
                                         {DType::uint16, "U16"},
                                         {DType::int32, "I32"},
                                         {DType::uint32, "U32"},
                                         {DType::int64, "I64"},
                                         {DType::uint64, "U64"},
                                         {DType::bool_, "BOOL"},
                                         {DType::float8_e4m3fn, "F8_E4M3"},
                                         {DType::float8_e5m2, "F8_E5M2"},
                                         {DType::complex64, "C64"},
                                         {DType::complex128, "C128"}}};

DType read_dtype(json::Element element) {
  const std::string_view text = json::string(element);
  for (const Row& row : kTypes)
    if (row.name == text) return row.dtype;
  json::fail("unknown dtype '" + std::string(text) + "'");
}

struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
  std::string_view name;
};

// What the header says of a tensor, checked.
struct Entry {
  std::string name;
  DType dtype;
  Shape sizes;
  std::span<std::byte> data;  // in the mapped file
};

struct Contents {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Entry> entries;
};

class Reader {
 public:
  Reader(std::shared_ptr<MappedFile> file, std::size_t data_offset)
      : file_(std::move(file)), data_offset_(data_offset) {}

  Contents read(json::Element root) {
    Contents found;
    std::unordered_set<std::string_view> names;
    for (const auto& [key, element] : json::object(root)) {
      if (key == "__metadata__") {
        json::within([] { return json::member("__metadata__"); },
                     [&, value = element] { read_metadata(json::object(value), found); });
        continue;
      }
      json::within([name = key] { return json::member(name); },
                   [&, name = key, value = element] {
                     if (!names.insert(name).second) json::fail("this name occurs twice");
                     found.entries.push_back(read_entry(name, json::object(value)));
                   });
    }
    check_cover();
    return found;
  }

 private:
  static void read_metadata(json::Object object, Contents& found) {
    for (const auto& [key, value] : object)
      found.metadata.emplace_back(key, json::at(object, key, [](json::Element text) { return json::string(text); }));
  }

  Entry read_entry(std::string_view name, json::Object object) {
    const DType dtype = json::at(object, "dtype", read_dtype);
    Shape shape;
    json::at(object, "shape", [&](json::Element sizes) {
      json::each(sizes, [&](json::Element size) { shape.push_back(json::integer(size)); });
    });
    std::vector<std::int64_t> offsets;
    json::at(object, "data_offsets", [&](json::Element values) {
      json::each(values, [&](json::Element value) { offsets.push_back(json::integer(value)); });
    });
    const auto available = static_cast<std::int64_t>(file_->size() - data_offset_);
    if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > available)
      json::fail("expected two data_offsets between 0 and " + std::to_string(available) + ", found " +
                 to_string(offsets));
    std::optional<std::int64_t> needed;
    try {
      needed = checked_mul(numel(shape), static_cast<std::int64_t>(element_size(dtype)));
    } catch (const InvalidArgumentError& error) {
      json::fail(error.what());
    }
    if (needed != offsets[1] - offsets[0])
      json::fail("shape " + to_string(shape) + " of " + std::string(qdq::name(dtype)) + " does not take the " +
                 std::to_string(offsets[1] - offsets[0]) + " bytes of data_offsets");
    extents_.push_back({static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1]), name});
    return {std::string(name),
            dtype,
            std::move(shape),
            {file_->data() + data_offset_ + offsets[0], static_cast<std::size_t>(*needed)}};
  }

  // The format forbids overlaps and holes.
  void check_cover() {
    std::sort(extents_.begin(), extents_.end(),
              [](const Extent& a, const Extent& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t at = 0;
    for (const Extent& extent : extents_) {
      if (extent.begin != at)
        json::fail("the data of '" + std::string(extent.name) + "' starts at " + std::to_string(extent.begin) +
                   ", expected " + std::to_string(at) + ": overlaps and holes are not allowed");
      at = extent.end;
    }
    if (at != file_->size() - data_offset_)
      json::fail("the tensors take " + std::to_string(at) + " bytes, the file has " +
                 std::to_string(file_->size() - data_offset_));
  }

  std::shared_ptr<MappedFile> file_;
  std::size_t data_offset_;
  std::vector<Extent> extents_;
};

Contents read_contents(const std::shared_ptr<MappedFile>& file) {
  auto fail = [&](const std::string& what) { return FormatError("[load] " + file->path().string() + ": " + what); };
  if (file->size() < 8)
    throw fail("expected a .safetensors, found a file of " + std::to_string(file->size()) + " bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, file->data(), 8);
  if (length > kMaxHeader || length > file->size() - 8)
    throw fail("a header of " + std::to_string(length) + " bytes does not fit a file of " +
               std::to_string(file->size()));
  try {
    const json::Document document({file->data() + 8, length});
    return Reader(file, 8 + length).read(document.root());
  } catch (const json::Error& error) {
    throw fail("in the header (at byte 8), " + error.path + ": " + error.what);
  }
}

// Copied only when it is not aligned for its dtype.
Tensor tensor_of(const Entry& entry, std::shared_ptr<MappedFile> file) {
  std::shared_ptr<Storage> storage;
  const std::size_t alignment = std::min<std::size_t>(element_size(entry.dtype), 8);
  if (reinterpret_cast<std::uintptr_t>(entry.data.data()) % alignment == 0) {
    storage = Storage::wrap(entry.data.data(), entry.data.size(), std::move(file));
  } else {
    storage = Storage::allocate(entry.data.size());
    if (!entry.data.empty()) std::memcpy(storage->data(), entry.data.data(), entry.data.size());
  }
  return Tensor(std::move(storage), entry.dtype, entry.sizes, contiguous_strides(entry.sizes));
}

}  // namespace

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  Contents contents = read_contents(file);
  SafetensorsFile found{std::move(contents.metadata), {}};
  for (Entry& entry : contents.entries) {
    Tensor value = tensor_of(entry, file);
    found.tensors.push_back({std::move(entry.name), std::move(value)});
  }
  return found;
}

std::vector<std::unique_ptr<TensorReader>> open_safetensors(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  Contents contents = read_contents(file);
  std::vector<std::unique_ptr<TensorReader>> readers;
  for (Entry& entry : contents.entries)
    readers.push_back(
        mapped_reader(std::move(entry.name), entry.dtype, std::move(entry.sizes), entry.data.data(), file));
  return readers;
}

std::vector<NamedTensor> load_safetensors(const std::filesystem::path& path, const LoadOptions&) {
  return read_safetensors(path).tensors;
}

void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  write_safetensors(path, {{}, tensors});
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& contents) {
  const std::vector<NamedTensor>& tensors = contents.tensors;
  // The widest elements first: then every tensor is aligned without holes. The header keeps the caller's order.
  std::vector<std::size_t> order(tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return element_size(tensors[a].value.dtype()) > element_size(tensors[b].value.dtype());
  });
  std::vector<std::int64_t> begin(tensors.size());
  std::int64_t end = 0;
  for (std::size_t i : order) {
    begin[i] = end;
    end += static_cast<std::int64_t>(tensors[i].value.nbytes());
  }
  json::Writer header;
  header.begin_object();
  if (!contents.metadata.empty()) {
    header.key("__metadata__").begin_object();
    for (const auto& [key, value] : contents.metadata) header.member(key, value);
    header.end();
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, value] = tensors[i];
    const DType dtype = plain_dtype(value.dtype());
    const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.dtype == dtype; });
    if (row == kTypes.end())
      throw InvalidArgumentError("tensor '" + name + "': .safetensors has no " + std::string(qdq::name(value.dtype())));
    if (name == "__metadata__") throw InvalidArgumentError("'__metadata__' cannot name a tensor in a .safetensors");
    header.key(name).begin_object().member("dtype", row->name).key("shape").begin_array();
    for (std::int64_t size : value.sizes()) header.integer(size);
    header.end().key("data_offsets").begin_array().integer(begin[i]);
    header.integer(begin[i] + static_cast<std::int64_t>(value.nbytes())).end().end();
  }
  std::string text(header.end().text());
  text.append((kAlignment - (8 + text.size()) % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = text.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (std::size_t i : order) {
    const Tensor value = tensors[i].value.contiguous();
    if (value.nbytes() > 0) file.write(std::span<const std::byte>(value.raw_data(), value.nbytes()));
  }
  file.commit();
}

}  // namespace qdq
