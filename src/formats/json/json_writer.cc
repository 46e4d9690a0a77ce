#include "formats/json/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>

namespace qdq::json {

Writer& Writer::open(char opening, char closing) {
  separate();
  text_ += opening;
  closing_ += closing;
  needs_comma_ = false;
  return *this;
}

Writer& Writer::end() {
  text_ += closing_.back();
  closing_.pop_back();
  needs_comma_ = true;
  return *this;
}

void Writer::separate() {
  if (needs_comma_) text_ += ',';
  needs_comma_ = true;
}

Writer& Writer::key(std::string_view name) {
  string(name);
  text_ += ':';
  needs_comma_ = false;
  return *this;
}

Writer& Writer::string(std::string_view value) {
  static constexpr char kHex[] = "0123456789abcdef";
  separate();
  text_ += '"';
  for (char c : value) {
    switch (c) {
      case '"': text_ += "\\\""; break;
      case '\\': text_ += "\\\\"; break;
      case '\n': text_ += "\\n"; break;
      case '\t': text_ += "\\t"; break;
      case '\r': text_ += "\\r"; break;
      default:
        if (const auto byte = static_cast<unsigned char>(c); byte < 0x20) {
          text_ += "\\u00";
          text_ += kHex[byte >> 4];
          text_ += kHex[byte & 15];
        } else {
          text_ += c;
        }
    }
  }
  text_ += '"';
  return *this;
}

Writer& Writer::integer(std::int64_t value) {
  separate();
  text_ += std::to_string(value);
  return *this;
}

Writer& Writer::number(double value) {
  if (std::isnan(value)) return string("NaN");
  if (std::isinf(value)) return string(value > 0 ? "Infinity" : "-Infinity");
  separate();
  std::array<char, 32> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string_view text(digits.data(), static_cast<std::size_t>(result.ptr - digits.data()));
  text_ += text;
  if (text.find_first_of(".e") == std::string_view::npos) text_ += ".0";
  return *this;
}

Writer& Writer::boolean(bool value) { return raw(value ? "true" : "false"); }
Writer& Writer::null() { return raw("null"); }

Writer& Writer::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

}  // namespace qdq::json
