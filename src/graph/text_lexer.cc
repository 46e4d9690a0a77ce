#include "graph/text_lexer.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "graph/text_names.h"
#include "qdq/error.h"

namespace qdq::text {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c); }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A token for a message: what was found must not flood the terminal or smuggle control characters into it.
std::string shown(const Token& token) {
  if (token.kind == TokenKind::end) return "the end";
  constexpr std::size_t kLongest = 40;
  const bool cut = token.text.size() > kLongest;
  std::string text = quoted(token.text.substr(0, kLongest), '\'');
  return cut ? text + "..." : text;
}

}  // namespace

const Token& Lexer::peek(std::size_t ahead) {
  while (ahead_.size() <= ahead) ahead_.push_back(scan());
  return ahead_[ahead];
}

Token Lexer::next() {
  peek();
  Token token = std::move(ahead_.front());
  ahead_.pop_front();
  return token;
}

bool Lexer::at(std::string_view wanted, std::size_t ahead) {
  const Token& token = peek(ahead);
  return (token.kind == TokenKind::punctuation || token.kind == TokenKind::word) && token.text == wanted;
}

bool Lexer::accept(std::string_view wanted) {
  if (!at(wanted)) return false;
  next();
  return true;
}

void Lexer::expect(std::string_view wanted) {
  if (!accept(wanted)) fail_expected("'" + std::string(wanted) + "'");
}

Token Lexer::expect(TokenKind kind, std::string_view what) {
  if (peek().kind != kind) fail_expected(what);
  return next();
}

void Lexer::fail_expected(std::string_view what) {
  const Token& token = peek();
  fail(token, "expected " + std::string(what) + ", found " + shown(token));
}

void Lexer::fail(const Token& token, const std::string& message) const {
  fail_at(static_cast<std::size_t>(token.text.data() - text_.data()), message);
}

void Lexer::fail_at(std::size_t offset, const std::string& message) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? offset + 1 : offset - newline;
  throw FormatError("[parse] " + std::string(where_) + ":" + std::to_string(line) + ":" + std::to_string(column) +
                    ": " + message);
}

void Lexer::skip_space() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
      ++position_;
    else if (text_.substr(position_, 2) == "//")
      position_ = std::min(text_.find('\n', position_), text_.size());
    else
      return;
  }
}

Token Lexer::scan() {
  skip_space();
  const std::size_t start = position_;
  Token token;
  const auto finish = [&](TokenKind kind) {
    token.kind = kind;
    token.text = text_.substr(start, position_ - start);
    return token;
  };
  const auto take_while = [&](auto&& wanted) {
    while (position_ < text_.size() && wanted(text_[position_])) ++position_;
  };
  // Words may have dots inside, each followed by a word character.
  const auto take_dotted = [&] {
    take_while(is_word_char);
    while (position_ + 1 < text_.size() && text_[position_] == '.' && is_word_char(text_[position_ + 1])) {
      ++position_;
      take_while(is_word_char);
    }
  };
  if (start >= text_.size()) return finish(TokenKind::end);

  const char c = text_[start];
  if (is_digit(c) || c == '-') return scan_number();
  if (is_word_char(c)) {
    take_dotted();
    return finish(TokenKind::word);
  }
  if (c == '"' || c == '`') {
    token.value = scan_quoted(c);
    return finish(c == '"' ? TokenKind::string : TokenKind::raw);
  }
  if (c == '%' || c == '@') {
    ++position_;
    if (c == '@' && position_ < text_.size() && text_[position_] == '"') {
      token.value = scan_quoted('"');
      return finish(TokenKind::at);
    }
    if (c == '%')
      take_while(is_word_char);
    else
      take_dotted();
    token.value = text_.substr(start + 1, position_ - start - 1);
    if (token.value.empty() || (c == '%' && is_digit(token.value[0])))
      fail_at(start, "expected a name after '" + std::string(1, c) + "'");
    return finish(c == '%' ? TokenKind::node : TokenKind::at);
  }
  for (std::string_view mark : {"...", "..", "(", ")", "[", "]", "{", "}", ",", ":", "=", "+", "*"})
    if (text_.substr(start).starts_with(mark)) {
      position_ += mark.size();
      return finish(TokenKind::punctuation);
    }
  fail_at(start, "unexpected character " + quoted(std::string_view(&text_[start], 1), '\''));
}

Token Lexer::scan_number() {
  Token token;
  const std::size_t start = position_;
  if (text_[position_] == '-') ++position_;
  if (text_.substr(position_).starts_with("inf")) {
    position_ += 3;
    token.kind = TokenKind::real;
    token.text = text_.substr(start, position_ - start);
    token.real = -std::numeric_limits<double>::infinity();
    return token;
  }
  bool real = false;
  while (position_ < text_.size()) {
    const char c = text_[position_];
    const bool sign = (c == '-' || c == '+') && (text_[position_ - 1] == 'e' || text_[position_ - 1] == 'E') && real;
    // "2..5" is a range: the dot belongs to the number only when it stands alone.
    const bool dot = c == '.' && text_.substr(position_, 2) != "..";
    if (!is_word_char(c) && !sign && !dot) break;
    real |= dot || c == 'e' || c == 'E';
    ++position_;
  }
  token.text = text_.substr(start, position_ - start);
  const char* begin = token.text.data();
  const char* end = begin + token.text.size();
  const auto [stop, error] =
      real ? std::from_chars(begin, end, token.real) : std::from_chars(begin, end, token.integer);
  if (error == std::errc::result_out_of_range)
    fail_at(start, "the number " + shown({TokenKind::word, token.text, {}, 0, 0}) + " does not fit 64 bits");
  if (error != std::errc() || stop != end)
    fail_at(start, "expected a number, found " + shown({TokenKind::word, token.text, {}, 0, 0}));
  token.kind = real ? TokenKind::real : TokenKind::integer;
  return token;
}

std::string Lexer::scan_quoted(char quote) {
  const std::size_t start = position_++;
  std::string value;
  while (true) {
    if (position_ >= text_.size() || text_[position_] == '\n') fail_at(start, "the string does not end on its line");
    const char c = text_[position_++];
    if (c == quote) return value;
    if (c != '\\') {
      value += c;
      continue;
    }
    const char escaped = position_ < text_.size() ? text_[position_++] : '\0';
    if (escaped == quote || escaped == '\\') {
      value += escaped;
    } else if (escaped == 'n') {
      value += '\n';
    } else if (escaped == 't') {
      value += '\t';
    } else if (escaped == 'r') {
      value += '\r';
    } else if (escaped == 'x' && position_ + 1 < text_.size() && hex_digit(text_[position_]) >= 0 &&
               hex_digit(text_[position_ + 1]) >= 0) {
      value += static_cast<char>(hex_digit(text_[position_]) * 16 + hex_digit(text_[position_ + 1]));
      position_ += 2;
    } else {
      fail_at(position_ - 2, "unknown escape, expected \\n, \\t, \\r, \\\\, \\xHH or the quote");
    }
  }
}

}  // namespace qdq::text
