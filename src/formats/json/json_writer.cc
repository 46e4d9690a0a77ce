#include "formats/json/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace qdq::json {
namespace {

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

// False only when none of the eight characters needs an escape. A word at a time: (w - n) & ~w has a byte's high bit set
// where the byte is less than n (n up to 128), and now and then above such a byte, which costs a second look.
bool may_need_escape(const char* eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::uint64_t word = 0;
  std::memcpy(&word, eight, sizeof word);
  const auto any_below = [](std::uint64_t w, std::uint64_t n) { return (w - kOnes * n) & ~w & kHighs; };
  return (any_below(word, 0x20) | any_below(word ^ (kOnes * '"'), 1) | any_below(word ^ (kOnes * '\\'), 1)) != 0;
}

}  // namespace

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
  separate();
  text_ += '"';
  // Almost all characters stand for themselves: they are appended in runs.
  std::size_t begin = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value.size() - i >= 8 && !may_need_escape(value.data() + i)) {
      i += 7;
      continue;
    }
    if (!needs_escape(value[i])) continue;
    text_ += value.substr(begin, i - begin);
    escape(value[i]);
    begin = i + 1;
  }
  text_ += value.substr(begin);
  text_ += '"';
  return *this;
}

void Writer::escape(char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"': text_ += "\\\""; break;
    case '\\': text_ += "\\\\"; break;
    case '\n': text_ += "\\n"; break;
    case '\t': text_ += "\\t"; break;
    case '\r': text_ += "\\r"; break;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      text_ += "\\u00";
      text_ += kHex[byte >> 4];
      text_ += kHex[byte & 15];
    }
  }
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
