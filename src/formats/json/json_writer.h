#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace qdq::json {

// Appends JSON text to a string, members and items in the order of the calls, without spaces. Commas are set by the
// writer; whoever calls it keeps keys and values in turn.
class Writer {
 public:
  Writer& begin_object() { return open('{', '}'); }
  Writer& begin_array() { return open('[', ']'); }
  Writer& end();  // of the innermost object or array
  Writer& key(std::string_view name);
  Writer& string(std::string_view value);
  Writer& integer(std::int64_t value);
  // Shortest text that reads back to the same double, always with a fraction or exponent, as Python's json has it.
  // Infinities and NaN become the strings "Infinity", "-Infinity" and "NaN", which is torch's way.
  Writer& number(double value);
  Writer& boolean(bool value);
  Writer& null();
  Writer& raw(std::string_view json);  // a value that is JSON text already

  // key and value in one call.
  Writer& member(std::string_view name, std::string_view value) { return key(name).string(value); }
  Writer& member(std::string_view name, const char* value) { return key(name).string(value); }
  Writer& member(std::string_view name, std::int64_t value) { return key(name).integer(value); }
  Writer& member(std::string_view name, bool value) { return key(name).boolean(value); }

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Writer& open(char opening, char closing);
  void separate();
  void escape(char c);

  std::string text_;
  std::string closing_;  // brackets still open
  bool needs_comma_ = false;
};

}  // namespace qdq::json
