#include "formats/json/syntax_check.h"

#include <string>

namespace qdq::json {
namespace {

// Follows the grammar of RFC 8259 with an explicit stack of open brackets.
class Checker {
 public:
  Checker(std::string_view text, std::size_t max_depth) : text_(text), max_depth_(max_depth) {}

  SyntaxProblem run() {
    skip_spaces();
    if (at_ == text_.size()) return problem("expected a value, found the end");
    while (true) {
      if (const char* what = value()) return problem(what);
      // Close and continue as far as the brackets allow.
      while (true) {
        skip_spaces();
        if (open_.empty())
          return problem(at_ == text_.size() ? "the text is not UTF-8, or a number is out of range"
                                             : "expected the end");
        if (at_ == text_.size()) return problem("expected ',' or a closing bracket, found the end");
        const char c = text_[at_];
        if (c == open_.back()) {
          open_.pop_back();
          ++at_;
          continue;
        }
        if (c != ',') return problem("expected ',' or a closing bracket");
        ++at_;
        skip_spaces();
        if (open_.back() == '}')
          if (const char* what = key()) return problem(what);
        break;
      }
    }
  }

 private:
  SyntaxProblem problem(std::string_view what) const { return {at_, what}; }
  bool peek(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  // One scalar, or the opening of a container up to its first value. Null when all is well.
  const char* value() {
    skip_spaces();
    while (peek('{') || peek('[')) {
      if (open_.size() >= max_depth_) return "nested too deeply";
      const char closing = peek('{') ? '}' : ']';
      open_ += closing;
      ++at_;
      skip_spaces();
      if (peek(closing)) return nullptr;  // empty; run() closes it
      if (closing == '}')
        if (const char* what = key()) return what;
      skip_spaces();
    }
    if (peek('"')) return string();
    for (std::string_view word : {"true", "false", "null"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return nullptr;
      }
    return number();
  }

  const char* key() {
    if (!peek('"')) return "expected a member name";
    if (const char* what = string()) return what;
    skip_spaces();
    if (!peek(':')) return "expected ':'";
    ++at_;
    return nullptr;
  }

  const char* string() {
    for (++at_; at_ < text_.size(); ++at_) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return nullptr;
      }
      if (c < 0x20) return "control character in a string";
      if (c != '\\') continue;
      ++at_;
      if (at_ < text_.size() && std::string_view("\"\\/bfnrtu").find(text_[at_]) == std::string_view::npos)
        return "unknown escape in a string";
    }
    return "unterminated string";
  }

  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > start;
  }

  const char* number() {
    if (peek('-')) ++at_;
    if (peek('0'))
      ++at_;
    else if (!digits())
      return "expected a value";
    if (peek('.')) {
      ++at_;
      if (!digits()) return "expected a digit";
    }
    if (peek('e') || peek('E')) {
      ++at_;
      if (peek('+') || peek('-')) ++at_;
      if (!digits()) return "expected a digit";
    }
    return nullptr;
  }

  std::string_view text_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::string open_;
};

}  // namespace

SyntaxProblem find_syntax_problem(std::string_view text, std::size_t max_depth) {
  return Checker(text, max_depth).run();
}

}  // namespace qdq::json
