#include "formats/tensors/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/checked.h"
#include "qdq/error.h"

namespace qdq::npy {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;

struct Row {
  DType dtype;
  std::string_view descr;
};
constexpr std::array<Row, 14> kTypes = {{{DType::float32, "<f4"},
                                         {DType::float64, "<f8"},
                                         {DType::float16, "<f2"},
                                         {DType::int64, "<i8"},
                                         {DType::int32, "<i4"},
                                         {DType::int16, "<i2"},
                                         {DType::int8, "|i1"},
                                         {DType::uint8, "|u1"},
                                         {DType::uint16, "<u2"},
                                         {DType::uint32, "<u4"},
                                         {DType::uint64, "<u8"},
                                         {DType::bool_, "|b1"},
                                         {DType::complex64, "<c8"},
                                         {DType::complex128, "<c16"}}};

// The header: a Python dict of 'descr' (str), 'fortran_order' (bool) and 'shape' (tuple of ints), in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::size_t offset) : text_(text), offset_(offset) {}

  struct Header {
    std::string descr;
    bool fortran_order = false;
    Shape shape;
  };

  Header parse() {
    Header header;
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !has_descr) {
        has_descr = true;
        header.descr = string();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        header.fortran_order = boolean();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        header.shape = tuple();
      } else {
        fail("unexpected key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) fail("expected the end of the header");
    if (!has_descr || !has_order || !has_shape) fail("expected the keys 'descr', 'fortran_order' and 'shape'");
    return header;
  }

 private:
  [[noreturn]] void fail(std::string what) const { throw Error{offset_ + at_, std::move(what)}; }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "' in the header");
  }
  std::string string() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("expected a string; structured dtypes are not read");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos || end - at_ > 100) fail("unterminated string");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_spaces();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    fail("expected True or False");
  }
  Shape tuple() {
    Shape values;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      std::int64_t value = 0;
      const auto result = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (result.ec != std::errc() || value < 0) fail("expected a size");
      if (values.size() == 64) fail("more than 64 dimensions");
      values.push_back(value);
      at_ = static_cast<std::size_t>(result.ptr - text_.data());
      accept('L');  // Python 2 wrote long integers so
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view text_;
  std::size_t offset_;
  std::size_t at_ = 0;
};

DType dtype_of_descr(const std::string& descr, std::size_t offset) {
  std::string normal = descr;
  if (!normal.empty() && normal[0] == '=') normal[0] = '<';  // "native": we only run on little-endian machines
  for (const Row& row : kTypes)
    if (row.descr == normal ||
        (row.descr[0] == '|' && normal.size() > 1 && normal[0] != '>' && row.descr.substr(1) == normal.substr(1)))
      return row.dtype;
  std::string why = "unknown dtype '" + descr + "'";
  if (descr.find('O') != std::string::npos) why += ": Python objects are pickles, which are never opened";
  if (!descr.empty() && descr[0] == '>') why += ": big-endian data is not read";
  throw Error{offset, why};
}

}  // namespace

std::size_t header_size(std::span<const std::byte> prefix) {
  const std::string_view text(reinterpret_cast<const char*>(prefix.data()), prefix.size());
  if (!text.starts_with(kMagic) || prefix.size() < 10) throw Error{0, "expected a .npy (\"\\x93NUMPY\")"};
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(text[i])); };
  const std::size_t major = byte(6);
  if (major < 1 || major > 3) throw Error{6, "expected version 1, 2 or 3, found " + std::to_string(major)};
  const std::size_t start = major == 1 ? 10 : 12;
  if (prefix.size() < start) throw Error{prefix.size(), "the header is truncated"};
  std::size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  return start + length;
}

Header parse_header(std::span<const std::byte> bytes) {
  const std::size_t size = header_size(bytes);
  if (bytes.size() < size) throw Error{bytes.size(), "the header is truncated"};
  const std::size_t start = static_cast<unsigned char>(bytes[6]) == 1 ? 10 : 12;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), size);
  HeaderParser::Header found = HeaderParser(text.substr(start), start).parse();
  Header header{dtype_of_descr(found.descr, start), std::move(found.shape), found.fortran_order, size, 0};
  try {
    const auto needed = checked_mul(numel(header.sizes), static_cast<std::int64_t>(element_size(header.dtype)));
    if (!needed) throw InvalidArgumentError("too many elements in " + to_string(header.sizes));
    header.data_bytes = static_cast<std::size_t>(*needed);
  } catch (const InvalidArgumentError& error) {
    throw Error{start, error.what()};
  }
  return header;
}

Tensor array(const Header& header, std::span<std::byte> data, std::shared_ptr<void> owner) {
  Shape strides = contiguous_strides(header.sizes);
  if (header.fortran_order) {
    std::int64_t stride = 1;
    for (std::size_t d = 0; d < strides.size(); ++d) {
      strides[d] = stride;
      stride *= std::max<std::int64_t>(header.sizes[d], 1);
    }
  }
  std::shared_ptr<Storage> storage;
  const std::size_t alignment = std::min<std::size_t>(element_size(header.dtype), 8);
  if (reinterpret_cast<std::uintptr_t>(data.data()) % alignment == 0) {
    storage = Storage::wrap(data.data(), data.size(), std::move(owner));
  } else {
    storage = Storage::allocate(data.size());
    if (!data.empty()) std::memcpy(storage->data(), data.data(), data.size());
  }
  return Tensor(std::move(storage), header.dtype, header.sizes, std::move(strides));
}

void check_size(const Header& header, std::uint64_t bytes) {
  if (bytes < header.size || header.data_bytes != bytes - header.size)
    throw Error{header.size, "expected " + std::to_string(numel(header.sizes)) + " elements of " +
                                 std::string(name(header.dtype)) + " for the shape " + to_string(header.sizes) +
                                 ", found " + std::to_string(bytes - header.size) + " bytes"};
}

Tensor parse(std::span<std::byte> bytes, std::shared_ptr<void> owner) {
  const Header header = parse_header(bytes);
  check_size(header, bytes.size());
  return array(header, bytes.subspan(header.size), std::move(owner));
}

std::string header(const Tensor& tensor, const std::string& name) {
  const auto row =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.dtype == plain_dtype(tensor.dtype()); });
  if (row == kTypes.end())
    throw InvalidArgumentError("tensor '" + name + "': numpy has no " + std::string(qdq::name(tensor.dtype())) +
                               "; save it as .safetensors");
  std::string dict = "{'descr': '" + std::string(row->descr) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t d = 0; d < tensor.sizes().size(); ++d) dict += (d ? ", " : "") + std::to_string(tensor.sizes()[d]);
  dict += tensor.sizes().size() == 1 ? ",), }" : "), }";
  const bool wide = dict.size() + kAlignment + 10 > 0xffff;
  const std::size_t start = wide ? 12 : 10;
  dict.append(kAlignment - 1 - (start + dict.size()) % kAlignment, ' ');
  dict += '\n';
  std::string result(kMagic);
  result += wide ? '\2' : '\1';
  result += '\0';
  for (std::size_t i = 0; i < start - 8; ++i) result += static_cast<char>(dict.size() >> (8 * i) & 0xff);
  return result + dict;
}

}  // namespace qdq::npy
