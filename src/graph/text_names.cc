#include "graph/text_names.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace qdq::text {
namespace {

constexpr std::array<std::string_view, 7> kLayouts = {"strided",    "sparse_coo", "sparse_csr", "sparse_csc",
                                                      "sparse_bsr", "sparse_bsc", "mkldnn"};
constexpr std::array<std::string_view, 4> kMemoryFormats = {"contiguous", "channels_last", "channels_last_3d",
                                                            "preserve"};
constexpr std::array<std::string_view, 4> kAttributeKinds = {"parameter", "buffer", "constant", "custom_obj"};
constexpr std::array<std::string_view, 3> kInputKinds = {"user_input", "constant_input", "token"};
constexpr std::array<std::string_view, 8> kOutputKinds = {
    "user_output",        "loss_output",           "buffer_mutation",        "user_input_mutation",
    "parameter_mutation", "gradient_to_parameter", "gradient_to_user_input", "token"};

template <typename Enum, std::size_t N>
std::optional<Enum> find_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

template <std::size_t N, typename Enum>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  return names.at(static_cast<std::size_t>(value));
}

// By hand: std::isalnum depends on the locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c); }

template <typename Float>
std::string decimal(Float value) {
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".eni") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string_view name_of(Layout layout) { return name_in(kLayouts, layout); }
std::string_view name_of(MemoryFormat format) { return name_in(kMemoryFormats, format); }
std::string_view name_of(AttributeKind kind) { return name_in(kAttributeKinds, kind); }
std::string_view name_of(InputSpec::Kind kind) { return name_in(kInputKinds, kind); }
std::string_view name_of(OutputSpec::Kind kind) { return name_in(kOutputKinds, kind); }
std::optional<Layout> find_layout(std::string_view name) { return find_in<Layout>(kLayouts, name); }
std::optional<MemoryFormat> find_memory_format(std::string_view name) {
  return find_in<MemoryFormat>(kMemoryFormats, name);
}
std::optional<AttributeKind> find_attribute_kind(std::string_view name) {
  return find_in<AttributeKind>(kAttributeKinds, name);
}
std::optional<InputSpec::Kind> find_input_kind(std::string_view name) {
  return find_in<InputSpec::Kind>(kInputKinds, name);
}
std::optional<OutputSpec::Kind> find_output_kind(std::string_view name) {
  return find_in<OutputSpec::Kind>(kOutputKinds, name);
}

bool is_identifier(std::string_view text) { return is_dotted_word(text) && text.find('.') == std::string_view::npos; }

bool is_dotted_word(std::string_view text) { return is_dotted_name(text) && !is_digit(text[0]); }

bool is_dotted_name(std::string_view text) {
  bool after_dot = true;
  for (char c : text) {
    if (c == '.' ? after_dot : !is_word_char(c)) return false;
    after_dot = c == '.';
  }
  return !after_dot;
}

std::string quoted(std::string_view text, char quote) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result(1, quote);
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\')
      (result += '\\') += c;
    else if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\r')
      result += "\\r";
    else if (byte < 0x20 || byte == 0x7f)
      ((result += "\\x") += kHex[byte >> 4]) += kHex[byte & 15];
    else
      result += c;
  }
  return result += quote;
}

std::string bare_or_quoted(std::string_view text) { return is_dotted_word(text) ? std::string(text) : quoted(text); }

std::string at_name(std::string_view text) { return "@" + (is_dotted_name(text) ? std::string(text) : quoted(text)); }

std::string number(double value) {
  if (!std::isnan(value)) return decimal(value);
  auto bits = std::bit_cast<std::uint64_t>(value);
  if (bits == std::bit_cast<std::uint64_t>(std::numeric_limits<double>::quiet_NaN())) return "nan";
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bits, 16).ptr;
  return "float_bits(\"" + std::string(digits.data(), end) + "\")";
}

std::string number(float value) { return std::isnan(value) ? number(static_cast<double>(value)) : decimal(value); }

std::string bounds(double low, double high) { return number(low) + " " + number(high); }

std::optional<std::pair<double, double>> find_bounds(std::string_view text) {
  std::pair<double, double> found;
  const char* const end = text.data() + text.size();
  const auto low = std::from_chars(text.data(), end, found.first);
  if (low.ec != std::errc() || low.ptr == end || *low.ptr != ' ') return std::nullopt;
  const auto high = std::from_chars(low.ptr + 1, end, found.second);
  return high.ec == std::errc() && high.ptr == end ? std::optional(found) : std::nullopt;
}

}  // namespace qdq::text
