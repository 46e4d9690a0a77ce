#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace qdq::text {

enum class TokenKind {
  end,
  punctuation,  // ( ) [ ] { } , : = + * .. ...
  word,         // identifier with dots: aten.conv2d.default
  node,         // %name; value is the name
  at,           // @name or @"name"; value is the name
  string,       // "..."; value is decoded
  raw,          // `...`; value is decoded
  integer,
  real,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;  // as written
  std::string value;
  std::int64_t integer = 0;
  double real = 0;
};

// Cuts the text form into tokens, with lookahead. Skips white space and // comments. Every error is a FormatError with
// line and column.
class Lexer {
 public:
  Lexer(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  const Token& peek(std::size_t ahead = 0);
  Token next();

  bool at(std::string_view punctuation_or_word, std::size_t ahead = 0);
  bool accept(std::string_view punctuation_or_word);
  void expect(std::string_view punctuation_or_word);
  Token expect(TokenKind kind, std::string_view what);

  // Throws: at the next token, "expected `what`, found 'token'".
  [[noreturn]] void fail_expected(std::string_view what);
  // Throws: at `token`, `message`.
  [[noreturn]] void fail(const Token& token, const std::string& message) const;

 private:
  Token scan();
  void skip_space();
  Token scan_number();
  std::string scan_quoted(char quote);
  [[noreturn]] void fail_at(std::size_t offset, const std::string& message) const;

  std::string_view text_;
  std::string_view where_;
  std::size_t position_ = 0;
  std::deque<Token> ahead_;
};

}  // namespace qdq::text
