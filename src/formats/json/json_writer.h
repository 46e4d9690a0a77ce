#pragma once
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace qdq::json {

// Text that grows at its end. A file's JSON can have hundreds of megabytes made of pieces of a few bytes: appending costs
// one comparison when there is room, and what is written stays where it is: the text lies in blocks.
class TextBuffer {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  TextBuffer() = default;
  // Hands what is written on to `sink` and keeps little of it: flush() hands on the rest.
  explicit TextBuffer(Sink sink) : sink_(std::move(sink)) {}
  void flush();
  // Where `count` more bytes can be written; advance_to() then says how far they were.
  char* room(std::size_t count) {
    if (static_cast<std::size_t>(end_ - at_) < count) add_block(count);
    return at_;
  }
  void advance_to(char* end) { at_ = end; }
  void append(char c) {
    *room(1) = c;
    ++at_;
  }
  void append(std::string_view text);
  void append(TextBuffer&& text);  // takes its blocks over
  std::vector<std::span<const std::byte>> parts() const;
  std::string str() const;

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t size;  // of the last block: once it is not the last any more
  };
  void add_block(std::size_t count);
  void close_block();

  Sink sink_;
  std::vector<Block> blocks_;
  char* at_ = nullptr;  // in the last block
  char* end_ = nullptr;
};

// A key in our source. It is copied as it is: one with characters that JSON escapes does not compile.
struct Literal {
  template <std::size_t N>
  consteval Literal(const char (&literal)[N]) : text(literal, N - 1) {  // NOLINT: stands for the text
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') throw "a key that JSON escapes";
  }
  std::string_view text;
};

// Text that is known at run time.
template <typename T>
concept Text = std::convertible_to<const T&, std::string_view> && !std::is_array_v<T>;

// Appends JSON text, members and items in the order of the calls, without spaces. Commas are set by the writer; whoever
// calls it keeps keys and values in turn.
class Writer {
 public:
  explicit Writer(TextBuffer text = {}) : text_(std::move(text)) {}
  Writer& begin_object() { return open('{', '}'); }
  Writer& begin_array() { return open('[', ']'); }
  Writer& end() {  // of the innermost object or array
    text_.append(closing_.back());
    closing_.pop_back();
    needs_comma_ = true;
    return *this;
  }
  Writer& key(Literal name) {
    char* out = text_.room(name.text.size() + 4);
    if (needs_comma_) *out++ = ',';
    *out++ = '"';
    std::memcpy(out, name.text.data(), name.text.size());
    out += name.text.size();
    *out++ = '"';
    *out++ = ':';
    text_.advance_to(out);
    needs_comma_ = false;
    return *this;
  }
  template <Text T>
  Writer& key(const T& name) {
    quote(name, true);
    needs_comma_ = false;
    return *this;
  }
  Writer& string(std::string_view value);
  Writer& integer(std::int64_t value);
  // Shortest text that reads back to the same double, always with a fraction or exponent, as Python's json has it.
  // Infinities and NaN become the strings "Infinity", "-Infinity" and "NaN", which is torch's way.
  Writer& number(double value);
  Writer& boolean(bool value);
  Writer& null();
  Writer& raw(std::string_view json);  // a value that is JSON text already
  Writer& raw(Writer&& json);          // the same, without a copy

  // key and value in one call.
  template <typename Value>
  Writer& member(Literal name, const Value& value) {
    return key(name).value(value);
  }
  template <Text T, typename Value>
  Writer& member(const T& name, const Value& value) {
    return key(name).value(value);
  }

  std::string text() const { return text_.str(); }
  TextBuffer take() { return std::move(text_); }

 private:
  Writer& open(char opening, char closing) {
    separate();
    text_.append(opening);
    closing_ += closing;
    needs_comma_ = false;
    return *this;
  }
  Writer& value(std::string_view text) { return string(text); }
  Writer& value(const char* text) { return string(text); }
  Writer& value(std::int64_t number) { return integer(number); }
  Writer& value(bool flag) { return boolean(flag); }
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
