#include "graph/symbol_text.h"

#include <algorithm>
#include <charconv>

#include "base/checked.h"
#include "graph/text_names.h"
#include "qdq/error.h"

namespace qdq::text {
namespace {

constexpr int kDeepest = 100;

struct Expression {
  std::string head;  // "Add", "Symbol", "Integer", ...
  std::string leaf;  // name of a Symbol, digits of an Integer
  std::vector<Expression> args;
};

// u0, u17: made by torch for sizes that depend on data.
bool is_unbacked(std::string_view name) {
  return name.size() > 1 && name[0] == 'u' && name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

std::string symbol(std::string_view name) {
  return "Symbol('" + std::string(name) + (is_unbacked(name) ? "', integer=True)" : "', positive=True, integer=True)");
}

std::string sympy_text(const Expression& e) {
  if (e.head == "Symbol") return symbol(e.leaf);
  if (e.head == "Integer") return "Integer(" + e.leaf + ")";
  std::string text = e.head + "(";
  for (std::size_t i = 0; i < e.args.size(); ++i) text += (i ? ", " : "") + sympy_text(e.args[i]);
  return text + ")";
}

// Reads what sympy_text writes; nothing for anything else.
class SympyReader {
 public:
  explicit SympyReader(std::string_view text) : text_(text) {}

  std::optional<Expression> read_all() {
    auto e = read(0);
    return e && text_.empty() ? e : std::nullopt;
  }

 private:
  bool take(std::string_view wanted) {
    if (!text_.starts_with(wanted)) return false;
    text_.remove_prefix(wanted.size());
    return true;
  }

  std::string take_until(char stop) {
    const std::string found(text_.substr(0, text_.find(stop)));
    text_.remove_prefix(found.size());
    return found;
  }

  std::optional<Expression> read(int depth) {
    if (depth > kDeepest) return std::nullopt;
    if (take("Symbol('")) {
      Expression e{"Symbol", take_until('\''), {}};
      const bool ok =
          is_identifier(e.leaf) && take(is_unbacked(e.leaf) ? "', integer=True)" : "', positive=True, integer=True)");
      return ok ? std::optional(e) : std::nullopt;
    }
    if (take("Integer(")) {
      Expression e{"Integer", take_until(')'), {}};
      return take(")") ? std::optional(e) : std::nullopt;
    }
    Expression e{take_until('('), {}, {}};
    if (!is_identifier(e.head) || !take("(")) return std::nullopt;
    do {
      auto arg = read(depth + 1);
      if (!arg) return std::nullopt;
      e.args.push_back(std::move(*arg));
    } while (take(", "));
    return take(")") ? std::optional(e) : std::nullopt;
  }

  std::string_view text_;
};

enum Binding { kSum, kTerm, kFactor };

std::string infix(const Expression& e, Binding around) {
  if (!e.leaf.empty()) return e.leaf;
  const bool sum = e.head == "Add" && e.args.size() > 1;
  const bool product = e.head == "Mul" && e.args.size() > 1;
  std::string text;
  for (const Expression& arg : e.args) {
    if (!text.empty()) text += sum ? " + " : product ? "*" : ", ";
    text += infix(arg, sum ? kTerm : product ? kFactor : kSum);
  }
  if (!sum && !product) return e.head + "(" + text + ")";
  return around >= (sum ? kTerm : kFactor) ? "(" + text + ")" : text;
}

class InfixReader {
 public:
  explicit InfixReader(Lexer& lexer) : lexer_(lexer) {}

  Expression sum(int depth = 0) {
    return chain("Add", "+", [&] { return chain("Mul", "*", [&] { return atom(depth + 1); }); });
  }

 private:
  template <typename Fn>
  Expression chain(const char* head, std::string_view sign, Fn&& operand) {
    Expression first = operand();
    if (!lexer_.at(sign)) return first;
    Expression all{head, {}, {}};
    all.args.push_back(std::move(first));
    while (lexer_.accept(sign)) all.args.push_back(operand());
    return all;
  }

  Expression atom(int depth) {
    if (depth > kDeepest) lexer_.fail(lexer_.peek(), "expression nested deeper than " + std::to_string(kDeepest));
    if (lexer_.accept("(")) {
      Expression e = sum(depth);
      lexer_.expect(")");
      return e;
    }
    if (lexer_.peek().kind == TokenKind::integer) return {"Integer", std::to_string(lexer_.next().integer), {}};
    if (lexer_.peek().kind != TokenKind::word || !is_identifier(lexer_.peek().text))
      lexer_.fail_expected("a size: a number, a symbol or an expression of them");
    const std::string name(lexer_.next().text);
    if (!lexer_.accept("(")) return {"Symbol", name, {}};
    Expression e{name, {}, {}};
    do e.args.push_back(sum(depth));
    while (lexer_.accept(","));
    lexer_.expect(")");
    return e;
  }

  Lexer& lexer_;
};

std::string expression_text(const std::string& expr) {
  if (const auto e = SympyReader(expr).read_all(); e && e->head != "Integer") {
    const std::string text = infix(*e, kSum);
    try {
      Lexer lexer(text, "size");
      if (sympy_text(InfixReader(lexer).sum()) == expr && lexer.peek().kind == TokenKind::end) return text;
    } catch (const FormatError&) {
      // Not of our grammar after all (a number beyond 64 bits): raw, like the rest.
    }
  }
  return quoted(expr, '`');
}

// A product of a number and distinct symbols, as torch.export spells it.
struct Product {
  std::int64_t factor = 1;
  std::vector<std::string> symbols;
  std::optional<std::int64_t> hint = 1;

  bool multiply(const SymInt& size) {
    const std::int64_t hint_factor = std::max<std::int64_t>(size.value, 1);
    hint = hint && size.has_hint ? checked_mul(*hint, hint_factor) : std::nullopt;
    if (!size.is_symbolic()) return multiply_number(hint_factor);
    const auto e = SympyReader(size.expr).read_all();
    if (!e) return false;
    if (e->head != "Mul") return multiply_leaf(*e);
    return std::all_of(e->args.begin(), e->args.end(), [&](const Expression& arg) { return multiply_leaf(arg); });
  }

  SymInt value() const {
    if (symbols.empty()) return factor;
    std::string text = factor == 1 ? "" : "Integer(" + std::to_string(factor) + ")";
    for (const std::string& name : symbols) text += (text.empty() ? "" : ", ") + symbol(name);
    return SymInt::symbolic(factor == 1 && symbols.size() == 1 ? text : "Mul(" + text + ")", hint);
  }

 private:
  bool multiply_number(std::int64_t number) {
    const auto product = checked_mul(factor, number);
    factor = product.value_or(factor);
    return product.has_value();
  }

  bool multiply_leaf(const Expression& e) {
    if (e.head == "Integer") {
      std::int64_t number = 0;
      const auto [stop, error] = std::from_chars(e.leaf.data(), e.leaf.data() + e.leaf.size(), number);
      return error == std::errc() && number > 0 && multiply_number(number);
    }
    // A square would be a Pow; rare enough to be written out.
    if (e.head != "Symbol" || std::find(symbols.begin(), symbols.end(), e.leaf) != symbols.end()) return false;
    symbols.insert(std::upper_bound(symbols.begin(), symbols.end(), e.leaf), e.leaf);
    return true;
  }
};

}  // namespace

std::string to_text(const SymInt& size) {
  if (!size.is_symbolic()) return std::to_string(size.value) + (size.has_hint ? "" : ":unknown");
  return expression_text(size.expr) + (size.has_hint ? ":" + std::to_string(size.value) : "");
}

SymInt parse_symint(Lexer& lexer) {
  SymInt size;
  if (lexer.peek().kind == TokenKind::raw) {
    size.expr = lexer.next().value;
    if (size.expr.empty()) lexer.fail_expected("an expression between the backticks before");
  } else {
    const Expression e = InfixReader(lexer).sum();
    if (e.head == "Integer")
      std::from_chars(e.leaf.data(), e.leaf.data() + e.leaf.size(), size.value);
    else
      size.expr = sympy_text(e);
  }
  size.has_hint = !size.is_symbolic();
  if (!lexer.accept(":")) return size;
  if (!size.is_symbolic()) {
    lexer.expect("unknown");
    size.has_hint = false;
  } else {
    size.value = lexer.expect(TokenKind::integer, "the hint, a number").integer;
    size.has_hint = true;
  }
  return size;
}

std::vector<SymInt> default_strides(const std::vector<SymInt>& sizes) {
  std::vector<SymInt> strides(sizes.size(), SymInt(1));
  Product product;
  for (std::size_t d = sizes.size(); d-- > 1;) {
    if (!product.multiply(sizes[d])) return {};
    strides[d - 1] = product.value();
  }
  return strides;
}

}  // namespace qdq::text
