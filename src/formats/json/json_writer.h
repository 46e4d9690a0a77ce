#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace qdq::json {

// Text that grows at its end. A file's JSON can have hundreds of megabytes made of pieces of a few bytes: appending costs
// one comparison when there is room, and growing moves pages instead of bytes (realloc).
class TextBuffer {
 public:
  // Where `count` more bytes can be written; advance_to() then says how far they were.
  char* room(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return data_.get() + size_;
  }
  void advance_to(const char* end) { size_ = static_cast<std::size_t>(end - data_.get()); }
  void append(char c) {
    *room(1) = c;
    ++size_;
  }
  void append(std::string_view text);
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  void grow(std::size_t count);

  std::unique_ptr<char, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Appends JSON text, members and items in the order of the calls, without spaces. Commas are set by the writer; whoever
// calls it keeps keys and values in turn.
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

  std::string_view text() const { return text_.view(); }  // until the next call
  TextBuffer take() { return std::move(text_); }

 private:
  Writer& open(char opening, char closing);
  void quote(std::string_view value, bool as_key);
  void separate() {
    if (needs_comma_) text_.append(',');
    needs_comma_ = true;
  }

  TextBuffer text_;
  std::string closing_;  // brackets still open
  bool needs_comma_ = false;
};

}  // namespace qdq::json
