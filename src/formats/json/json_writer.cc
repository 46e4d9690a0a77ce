#include "formats/json/json_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace qdq::json {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

// Has a bit set in the first byte that cannot stand for itself in a JSON string, and none below it. (w - n) & ~w has a
// byte's high bit set where the byte is less than n (n up to 128); a borrow can set it wrongly above such a byte only.
std::uint64_t escapes_in(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const auto below = [](std::uint64_t w, std::uint64_t n) { return (w - kOnes * n) & ~w & kHighs; };
  return below(word, 0x20) | below(word ^ (kOnes * '"'), 1) | below(word ^ (kOnes * '\\'), 1);
}

template <typename T>
std::uint64_t load(const char* from) {
  T value = 0;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big)
    return sizeof(T) == kWord ? __builtin_bswap64(value) : __builtin_bswap32(static_cast<std::uint32_t>(value));
  return value;
}

// The `count` bytes at `from`, at most a word of them, the first one lowest; blanks above.
std::uint64_t load_word(const char* from, std::size_t count) {
  constexpr std::uint64_t kBlanks = 0x2020202020202020;
  constexpr std::size_t kHalf = kWord / 2;
  if (count == kWord) return load<std::uint64_t>(from);
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i); };
  // Two loads that overlap reach any number of bytes; three single ones, the middle one twice, what is shorter.
  const std::uint64_t word = count >= kHalf ? load<std::uint32_t>(from) | load<std::uint32_t>(from + count - kHalf)
                                                                              << (8 * (count - kHalf))
                                            : byte(0) | byte(count / 2) | byte(count - 1);
  return word | kBlanks << (8 * count);
}

// Copies `text` from `from` on to `out`, a word at a time, up to the first character that cannot stand for itself. Returns
// how many were copied; up to a word more may be overwritten.
std::size_t copy_plain(std::string_view text, std::size_t from, char* out) {
  const std::size_t start = from;
  while (from < text.size()) {
    const std::size_t count = std::min(kWord, text.size() - from);
    std::uint64_t word = load_word(text.data() + from, count);
    const std::uint64_t found = escapes_in(word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    std::memcpy(out + (from - start), &word, kWord);
    if (found != 0) return from - start + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    from += count;
  }
  return from - start;
}

// Writes the escape of `c`, at most six characters, and returns its end.
char* write_escape(char* out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out++ = '\\';
  switch (c) {
    case '"': *out++ = '"'; break;
    case '\\': *out++ = '\\'; break;
    case '\n': *out++ = 'n'; break;
    case '\t': *out++ = 't'; break;
    case '\r': *out++ = 'r'; break;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      for (const char digit : {'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}) *out++ = digit;
    }
  }
  return out;
}

}  // namespace

void TextBuffer::append(std::string_view text) {
  if (text.empty()) return;
  std::memcpy(room(text.size()), text.data(), text.size());
  at_ += text.size();
}

void TextBuffer::append(TextBuffer&& text) {
  if (text.blocks_.empty()) return;
  if (sink_) {
    flush();
    for (const auto part : text.parts()) sink_(part);
    return;
  }
  close_block();
  std::move(text.blocks_.begin(), text.blocks_.end(), std::back_inserter(blocks_));
  at_ = std::exchange(text.at_, nullptr);
  end_ = std::exchange(text.end_, nullptr);
  text.blocks_.clear();
}

void TextBuffer::flush() {
  if (!sink_) return;
  for (const auto part : parts()) sink_(part);
  if (!blocks_.empty()) at_ = blocks_.back().data.get();
}

void TextBuffer::add_block(std::size_t count) {
  constexpr std::size_t kSmallest = 256, kLargest = std::size_t{1} << 20;
  constexpr std::size_t kHandedOn = std::size_t{1} << 17;  // stays in the caches until it is
  if (sink_) {
    flush();
    if (at_ && static_cast<std::size_t>(end_ - at_) >= count) return;
    blocks_.clear();
    end_ = nullptr;
    count = std::max(count, kHandedOn);
  }
  const std::size_t last = static_cast<std::size_t>(blocks_.empty() ? 0 : end_ - blocks_.back().data.get());
  close_block();
  const std::size_t size = std::max(std::clamp(2 * last, kSmallest, kLargest), count);
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), 0});
  at_ = blocks_.back().data.get();
  end_ = at_ + size;
}

void TextBuffer::close_block() {
  if (!blocks_.empty()) blocks_.back().size = static_cast<std::size_t>(at_ - blocks_.back().data.get());
}

std::vector<std::span<const std::byte>> TextBuffer::parts() const {
  std::vector<std::span<const std::byte>> result;
  result.reserve(blocks_.size());
  for (const Block& block : blocks_) {
    const bool is_last = &block == &blocks_.back();
    const std::size_t size = is_last ? static_cast<std::size_t>(at_ - block.data.get()) : block.size;
    result.push_back(std::as_bytes(std::span(block.data.get(), size)));
  }
  return result;
}

std::string TextBuffer::str() const {
  std::string text;
  for (const auto part : parts()) text.append(reinterpret_cast<const char*>(part.data()), part.size());
  return text;
}

Writer& Writer::string(std::string_view value) {
  quote(value, false);
  needs_comma_ = true;
  return *this;
}

void Writer::quote(std::string_view value, bool as_key) {
  constexpr std::size_t kAround = 4 + kWord;  // comma, quotes, colon, and what copy_plain overwrites
  constexpr std::size_t kEscape = 6;          // the longest
  char* out = text_.room(value.size() + kAround);
  if (needs_comma_) *out++ = ',';
  *out++ = '"';
  // Almost all characters stand for themselves: they are copied in runs.
  for (std::size_t at = 0;; ++at) {
    const std::size_t plain = copy_plain(value, at, out);
    out += plain;
    at += plain;
    if (at == value.size()) break;
    text_.advance_to(out);
    out = write_escape(text_.room(value.size() - at + kEscape + kAround), value[at]);
  }
  *out++ = '"';
  if (as_key) *out++ = ':';
  text_.advance_to(out);
}

Writer& Writer::integer(std::int64_t value) {
  separate();
  constexpr std::size_t kDigits = 20;  // with the sign
  char* out = text_.room(kDigits);
  text_.advance_to(std::to_chars(out, out + kDigits, value).ptr);
  return *this;
}

Writer& Writer::number(double value) {
  if (std::isnan(value)) return string("NaN");
  if (std::isinf(value)) return string(value > 0 ? "Infinity" : "-Infinity");
  separate();
  std::array<char, 32> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string_view text(digits.data(), static_cast<std::size_t>(result.ptr - digits.data()));
  text_.append(text);
  if (text.find_first_of(".e") == std::string_view::npos) text_.append(".0");
  return *this;
}

Writer& Writer::boolean(bool value) { return raw(value ? "true" : "false"); }
Writer& Writer::null() { return raw("null"); }

Writer& Writer::raw(std::string_view json) {
  separate();
  text_.append(json);
  return *this;
}

Writer& Writer::raw(Writer&& json) {
  separate();
  text_.append(json.take());
  return *this;
}

}  // namespace qdq::json
