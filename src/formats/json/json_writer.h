#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qdq::json {

// Text that grows at its end. A file's JSON can have hundreds of megabytes made of pieces of a few bytes: appending costs
// one comparison when there is room, and what is written stays where it is: the text lies in blocks.
class TextBuffer {
 public:
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

  std::vector<Block> blocks_;
  char* at_ = nullptr;  // in the last block
  char* end_ = nullptr;
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
  Writer& raw(Writer&& json);          // the same, without a copy

  // key and value in one call.
  Writer& member(std::string_view name, std::string_view value) { return key(name).string(value); }
  Writer& member(std::string_view name, const char* value) { return key(name).string(value); }
  Writer& member(std::string_view name, std::int64_t value) { return key(name).integer(value); }
  Writer& member(std::string_view name, bool value) { return key(name).boolean(value); }

  std::string text() const { return text_.str(); }
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
