#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>
#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "base/checked.h"
#include "formats/onnx/read/model.h"

namespace qdq::onnx {
namespace {

bool is_packed(DType dtype) { return dtype == DType::int4 || dtype == DType::uint4; }

// Bytes that `count` values take in a file.
std::optional<std::int64_t> stored_bytes(DType dtype, std::int64_t count) {
  if (is_packed(dtype)) return count / 2 + count % 2;
  return checked_mul(count, static_cast<std::int64_t>(element_size(dtype)));
}

Tensor unpacked(Bytes bytes, DType dtype, const Shape& sizes) {
  Tensor result = Tensor::empty(plain_dtype(dtype), sizes);
  auto* out = reinterpret_cast<std::uint8_t*>(result.raw_data());
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(i / 2)]);
    const auto nibble = static_cast<std::uint8_t>(i % 2 == 0 ? byte & 0xF : byte >> 4);
    out[i] = static_cast<std::uint8_t>(dtype == DType::int4 && nibble > 7 ? nibble | 0xF0 : nibble);
  }
  return result;
}

// The numbers of a typed field. `from` holds their wire form one after the other.
template <typename T, typename Next>
std::vector<T> numbers(const InTensor& tensor, std::size_t at_most, Next next) {
  std::vector<T> values;
  const auto read = [&](Bytes bytes) {
    const char *at = bytes.data(), *end = at + bytes.size();
    while (at != end) {
      if (values.size() == at_most) return;
      values.push_back(next(&at, end));
    }
  };
  read(tensor.typed);
  for (const Bytes each : tensor.loose) read(each);
  return values;
}

template <typename T>
T fixed(const char** at, const char* end) {
  if (static_cast<std::size_t>(end - *at) < sizeof(T)) throw protozero::end_of_buffer_exception();
  T value;
  std::memcpy(&value, *at, sizeof(T));
  *at += sizeof(T);
  return value;
}

template <typename T>
T varint(const char** at, const char* end) {
  return static_cast<T>(protozero::decode_varint(at, end));
}

template <typename T>
void put(const std::vector<T>& values, std::size_t width, std::byte* to) {
  for (const T& value : values) {
    std::memcpy(to, &value, width);  // little-endian: the low bytes come first
    to += width;
  }
}

}  // namespace

Tensor TensorReader::read(const InTensor& tensor) {
  const auto fail = [&](const std::string& what) {
    return model_.error(tensor.offset, "tensor '" + std::string(tensor.name) + "': " + what);
  };
  const auto dtype = dtype_from_data_type(tensor.data_type);
  if (!dtype) throw fail("data type " + std::to_string(tensor.data_type) + " is not read");
  std::int64_t count = 0;
  std::optional<std::int64_t> needed;
  try {
    count = numel(tensor.dims);
    needed = stored_bytes(*dtype, count);
  } catch (const InvalidArgumentError&) {
  }
  if (!needed) throw fail("sizes " + to_string(tensor.dims) + " are negative or too large");

  if (tensor.is_external || tensor.raw) {
    const Source source = tensor.is_external ? external(tensor) : Source{*tensor.raw, model_.file};
    if (source.bytes.size() != static_cast<std::size_t>(*needed))
      throw fail("sizes " + to_string(tensor.dims) + " of " + std::string(name(*dtype)) + " take " +
                 std::to_string(*needed) + " bytes, found " + std::to_string(source.bytes.size()));
    if (is_packed(*dtype)) return unpacked(source.bytes, *dtype, tensor.dims);
    const std::size_t alignment = std::min<std::size_t>(element_size(*dtype), 8);
    std::shared_ptr<Storage> storage;
    if (reinterpret_cast<std::uintptr_t>(source.bytes.data()) % alignment == 0) {
      auto* data = reinterpret_cast<std::byte*>(const_cast<char*>(source.bytes.data()));  // mapped privately
      storage = Storage::wrap(data, source.bytes.size(), source.file);
    } else {
      storage = Storage::allocate(source.bytes.size());
      if (!source.bytes.empty()) std::memcpy(storage->data(), source.bytes.data(), source.bytes.size());
    }
    return Tensor(std::move(storage), *dtype, tensor.dims, contiguous_strides(tensor.dims));
  }

  // Every number takes a byte or more, so a count beyond the bytes is a lie.
  std::size_t available = tensor.typed.size();
  for (const Bytes each : tensor.loose) available += each.size();
  const std::int64_t expected = is_packed(*dtype) ? *needed : is_complex(*dtype) ? 2 * count : count;
  if (expected < 0 || static_cast<std::uint64_t>(expected) > available)
    throw fail("sizes " + to_string(tensor.dims) + " do not fit its " + std::to_string(available) + " bytes of values");
  const auto most = static_cast<std::size_t>(expected) + 1;
  std::size_t found = 0;
  Tensor result =
      Tensor::empty(is_packed(*dtype) ? DType::uint8 : *dtype, is_packed(*dtype) ? Shape{expected} : tensor.dims);
  const auto fill = [&](const auto& values, std::size_t width) {
    found = values.size();
    if (found == static_cast<std::size_t>(expected)) put(values, width, result.raw_data());
  };
  const std::size_t width = element_size(*dtype);
  try {
    switch (tensor.typed_field) {
      case TensorField::float_data:
        if (*dtype != DType::float32 && *dtype != DType::complex64) throw fail("float_data of another dtype");
        fill(numbers<float>(tensor, most, fixed<float>), sizeof(float));
        break;
      case TensorField::double_data:
        if (*dtype != DType::float64 && *dtype != DType::complex128) throw fail("double_data of another dtype");
        fill(numbers<double>(tensor, most, fixed<double>), sizeof(double));
        break;
      case TensorField::int64_data:
        if (*dtype != DType::int64) throw fail("int64_data of another dtype");
        fill(numbers<std::int64_t>(tensor, most, varint<std::int64_t>), width);
        break;
      case TensorField::uint64_data:
        if (*dtype != DType::uint64 && *dtype != DType::uint32) throw fail("uint64_data of another dtype");
        fill(numbers<std::uint64_t>(tensor, most, varint<std::uint64_t>), width);
        break;
      case TensorField::int32_data:
        if (width > 4 || *dtype == DType::float32 || *dtype == DType::uint32 || is_complex(*dtype))
          throw fail("int32_data of another dtype");
        fill(numbers<std::int32_t>(tensor, most, varint<std::int32_t>), is_packed(*dtype) ? 1 : width);
        break;
      default: break;  // no values at all
    }
  } catch (const protozero::exception& error) {
    throw fail(std::string("its values are broken (") + error.what() + ")");
  }
  if (found != static_cast<std::size_t>(expected))
    throw fail("expected " + std::to_string(expected) + " values for sizes " + to_string(tensor.dims) + ", found " +
               (found >= most ? "more" : std::to_string(found)));
  if (!is_packed(*dtype)) return result;
  return unpacked({reinterpret_cast<const char*>(result.raw_data()), result.nbytes()}, *dtype, tensor.dims);
}

TensorReader::Source TensorReader::external(const InTensor& tensor) {
  const auto fail = [&](const std::string& what) {
    return model_.error(tensor.offset, "tensor '" + std::string(tensor.name) + "': " + what);
  };
  std::string_view location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  const auto number = [&](std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size())
      throw fail("external data at '" + std::string(text.substr(0, 40)) + "': expected a number");
    return value;
  };
  for (const auto& [entry, value] : tensor.external) {
    if (entry == "location") location = value;
    if (entry == "offset") offset = number(value);
    if (entry == "length") length = number(value);
  }
  auto file = open(tensor, location);
  if (offset > file->size() || (length && *length > file->size() - offset))
    throw fail("external data from " + std::to_string(offset) + " on" +
               (length ? ", " + std::to_string(*length) + " bytes," : "") + " does not fit '" + std::string(location) +
               "', which has " + std::to_string(file->size()));
  const auto* begin = reinterpret_cast<const char*>(file->data()) + offset;
  return {{begin, length.value_or(file->size() - offset)}, std::move(file)};
}

// Beneath the model's folder, component by component, so that no link leads out of it.
std::shared_ptr<MappedFile> TensorReader::open(const InTensor& tensor, std::string_view location) {
  for (const auto& [name, file] : files_)
    if (name == location) return file;
  const auto fail = [&](const std::string& what) {
    return model_.error(tensor.offset, "tensor '" + std::string(tensor.name) + "': its external data '" +
                                           std::string(location.substr(0, 200)) + "' " + what);
  };
  if (location.empty() || location.find('\0') != std::string_view::npos)
    throw model_.error(tensor.offset,
                       "tensor '" + std::string(tensor.name) + "': its external data has no usable name");
  const std::filesystem::path wanted(location);
  if (wanted.is_absolute()) throw fail("is an absolute path; it has to be beneath the model's folder");
  std::filesystem::path path = model_.file->path().parent_path();
  for (const std::filesystem::path& part : wanted) {
    if (part == "..") throw fail("leads out of the model's folder");
    if (part.empty() || part == ".") continue;
    path /= part;
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) throw fail("is missing");
    if (S_ISLNK(info.st_mode)) throw fail("goes through the link '" + path.string() + "'");
  }
  files_.emplace_back(location, MappedFile::open(path));
  return files_.back().second;
}

}  // namespace qdq::onnx
