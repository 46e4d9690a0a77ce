#include "graph/tensor_text.h"

#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "base/checked.h"
#include "graph/text_names.h"
#include "qdq/error.h"

namespace qdq::text {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string encode_base64(const unsigned char* bytes, std::size_t size) {
  std::string text;
  text.reserve((size + 2) / 3 * 4);
  for (std::size_t i = 0; i < size; i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < size ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k > size ? '=' : kBase64[group >> (18 - 6 * k) & 63];
  }
  return text;
}

// False unless `text` decodes to exactly `size` bytes.
bool decode_base64(std::string_view text, unsigned char* bytes, std::size_t size) {
  static const std::array<std::int8_t, 256> digits = [] {
    std::array<std::int8_t, 256> table;
    table.fill(-1);
    for (std::size_t i = 0; i < kBase64.size(); ++i)
      table[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
    return table;
  }();
  if (text.size() != (size + 2) / 3 * 4) return false;
  for (std::size_t i = 0; i < size; i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const auto c = static_cast<unsigned char>(text[i / 3 * 4 + k]);
      const bool padding = i + k > size;
      if (padding ? c != '=' : digits[c] < 0) return false;
      group = group << 6 | (padding ? 0u : static_cast<std::uint32_t>(digits[c]));
    }
    for (std::size_t k = 0; k < 3 && i + k < size; ++k)
      bytes[i + k] = static_cast<unsigned char>(group >> (16 - 8 * k));
  }
  return true;
}

unsigned char* bytes_of(const Tensor& tensor) { return reinterpret_cast<unsigned char*>(tensor.raw_data()); }

bool all_same_bits(const Tensor& tensor) {
  const std::size_t size = tensor.nbytes();
  const std::size_t element = element_size(tensor.dtype());
  // Equal to itself shifted by one element.
  return std::memcmp(bytes_of(tensor), bytes_of(tensor) + element, size - element) == 0;
}

std::string element_text(const Tensor& flat, std::int64_t i) {
  const Tensor element = flat.narrow(0, i, 1).contiguous();
  if (flat.dtype() == DType::bool_) return element.item() != 0 ? "true" : "false";
  if (is_integral(flat.dtype())) return std::to_string(*element.to(DType::int64).data<std::int64_t>());
  if (flat.dtype() == DType::float64) return number(*element.data<double>());
  return number(*element.to(DType::float32).data<float>());
}

// One literal as a 1-element tensor. Integers must fit the dtype.
Tensor parse_element(Lexer& lexer, DType dtype) {
  const bool minus_free_word = lexer.at("true") || lexer.at("false");
  if (dtype == DType::bool_ && minus_free_word) return Tensor::scalar(lexer.next().text == "true");
  const Token token = lexer.peek();
  if (token.kind == TokenKind::integer && is_integral(dtype)) {
    const Tensor wide = Tensor::scalar(token.integer);
    const Tensor narrow = wide.to(dtype);
    if (!bit_equal(narrow.to(DType::int64), wide))
      lexer.fail(token, std::string(token.text) + " does not fit " + std::string(name(dtype)));
    lexer.next();
    return narrow;
  }
  if (is_floating_point(dtype)) {
    double value = 0;
    if (token.kind == TokenKind::real)
      value = token.real;
    else if (token.kind == TokenKind::integer)
      value = static_cast<double>(token.integer);
    else if (lexer.at("inf"))
      value = std::numeric_limits<double>::infinity();
    else if (lexer.at("nan"))
      value = std::numeric_limits<double>::quiet_NaN();
    else
      lexer.fail_expected("a number");
    lexer.next();
    return Tensor::scalar(value).to(dtype);
  }
  lexer.fail_expected("a value of dtype " + std::string(name(dtype)));
}

void take_from(std::int64_t& budget, std::int64_t bytes, const Lexer& lexer, const Token& token) {
  if (bytes > budget) lexer.fail(token, "the tensors take more memory than a text file may ask for");
  budget -= bytes;
}

Tensor allocate(const Lexer& lexer, const Token& token, DType dtype, const Shape& sizes, std::int64_t& budget) {
  std::optional<std::int64_t> bytes = static_cast<std::int64_t>(element_size(dtype));
  for (std::int64_t size : sizes)
    if (bytes) bytes = checked_mul(*bytes, size);
  take_from(budget, bytes.value_or(std::numeric_limits<std::int64_t>::max()), lexer, token);
  return Tensor::empty(dtype, sizes);
}

// Whether the decimal form of `values` reads back to the same bits.
bool reads_back(const std::string& text, const Tensor& values) {
  try {
    Lexer lexer(text, "values");
    std::int64_t budget = std::numeric_limits<std::int64_t>::max();
    return bit_equal(parse_values(lexer, values.dtype(), values.sizes(), budget), values);
  } catch (const FormatError&) {
    return false;  // an unsigned 64-bit number beyond the signed range, a NaN with a payload
  }
}

}  // namespace

std::string values_to_text(const Tensor& tensor, TextOptions::Data data) {
  if (data == TextOptions::Data::none || !tensor.defined() || tensor.is_meta()) return "";
  const Tensor values = tensor.contiguous();
  const std::int64_t count = values.numel();
  const Tensor flat = values.reshape({count});
  if (!is_complex(values.dtype())) {
    if (count > 1 && all_same_bits(values))
      if (std::string text = "full(" + element_text(flat, 0) + ")"; reads_back(text, values)) return text;
    if (count <= kSmallTensor) {
      std::string text = "[";
      for (std::int64_t i = 0; i < count; ++i) text += (i ? ", " : "") + element_text(flat, i);
      text += "]";
      if (reads_back(text, values)) return text;
    }
  }
  if (count > kSmallTensor && data == TextOptions::Data::small) return "";
  return "base64 \"" + encode_base64(bytes_of(values), values.nbytes()) + "\"";
}

Tensor parse_values(Lexer& lexer, DType dtype, const Shape& sizes, std::int64_t& budget) {
  const Token start = lexer.peek();
  if (lexer.accept("full")) {
    lexer.expect("(");
    const Tensor value = parse_element(lexer, dtype);
    lexer.expect(")");
    const Tensor result = allocate(lexer, start, dtype, sizes, budget);
    result.copy_from(value.as_strided(sizes, Shape(sizes.size(), 0), 0));
    return result;
  }
  if (lexer.accept("base64")) {
    const Token token = lexer.expect(TokenKind::string, "a string of base64");
    const Tensor result = allocate(lexer, start, dtype, sizes, budget);
    if (!decode_base64(token.value, bytes_of(result), result.nbytes()))
      lexer.fail(token, "expected base64 of " + std::to_string(result.nbytes()) + " bytes");
    return result;
  }
  if (!lexer.accept("[")) lexer.fail_expected("values: '[', full(...) or base64");
  std::vector<Tensor> elements;
  while (!lexer.at("]")) {
    elements.push_back(parse_element(lexer, dtype));
    if (!lexer.accept(",")) break;
  }
  const Token closing = lexer.peek();
  lexer.expect("]");
  const Tensor result = allocate(lexer, start, dtype, sizes, budget);
  if (static_cast<std::int64_t>(elements.size()) != result.numel())
    lexer.fail(closing,
               "expected " + std::to_string(result.numel()) + " values, found " + std::to_string(elements.size()));
  const std::size_t width = element_size(dtype);
  for (std::size_t i = 0; i < elements.size(); ++i)
    std::memcpy(bytes_of(result) + i * width, elements[i].raw_data(), width);
  return result;
}

Tensor with_strides(const Lexer& lexer, const Token& token, const Tensor& tensor, const Shape& strides,
                    std::int64_t& budget) {
  if (tensor.strides() == strides) return tensor;
  std::optional<std::int64_t> span = 1;
  for (std::size_t d = 0; d < strides.size(); ++d) {
    if (strides[d] < 0) lexer.fail(token, "a tensor's strides must not be negative");
    const auto extent = checked_mul(std::max<std::int64_t>(tensor.sizes()[d] - 1, 0), strides[d]);
    span = span && extent ? checked_add(*span, *extent) : std::nullopt;
  }
  const Tensor memory =
      allocate(lexer, token, tensor.dtype(), {span.value_or(std::numeric_limits<std::int64_t>::max())}, budget);
  const Tensor result = memory.as_strided(tensor.sizes(), strides, 0);
  result.copy_from(tensor);
  return result;
}

}  // namespace qdq::text
