#include "graph/text_values.h"

#include <bit>
#include <charconv>
#include <limits>

#include "graph/symbol_text.h"
#include "graph/text_names.h"

namespace qdq::text {
namespace {

constexpr int kDeepest = 100;

// One level of nesting while it lives.
class Level {
 public:
  Level(int& depth, Lexer& lexer) : depth_(depth) {
    if (++depth_ > kDeepest) {
      --depth_;
      lexer.fail(lexer.peek(), "nested deeper than " + std::to_string(kDeepest));
    }
  }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  ~Level() { --depth_; }

 private:
  int& depth_;
};

}  // namespace

Argument ValueParser::argument(const Graph* graph) {
  const Level level(depth_, lexer_);
  const Token& token = lexer_.peek();
  switch (token.kind) {
    case TokenKind::node: {
      Node* node = graph ? graph->find(token.value) : nullptr;
      if (!node) lexer_.fail(token, "no node named '" + token.value + "' before this one");
      lexer_.next();
      return Argument(node);
    }
    case TokenKind::integer: return Argument(lexer_.next().integer);
    case TokenKind::real: return Argument(lexer_.next().real);
    case TokenKind::string: return Argument(lexer_.next().value);
    case TokenKind::word: return word(graph);
    case TokenKind::punctuation:
      if (lexer_.at("[")) return Argument(items("[", "]", graph));
      if (lexer_.at("{")) return Argument(Argument::Variant(dictionary(graph)));
      if (lexer_.accept("...")) return Argument(Argument::Variant(Argument::Opaque{"...", ""}));
      break;
    case TokenKind::at:
    case TokenKind::raw:
    case TokenKind::end: break;
  }
  lexer_.fail_expected("an argument");
}

Argument ValueParser::word(const Graph* graph) {
  if (lexer_.accept("none")) return Argument();
  if (lexer_.at("true") || lexer_.at("false")) return Argument(boolean());
  if (lexer_.at("inf") || lexer_.at("nan") || lexer_.at("float_bits")) return Argument(real());
  if (lexer_.accept("_")) return Argument(Argument::Variant(Argument::Opaque{"_", ""}));
  if (lexer_.at("device")) return Argument(Argument::Variant(device()));
  if (lexer_.accept("op")) return Argument(Argument::Variant(Argument::Operator{word_or_string("an operator")}));
  if (lexer_.accept("complex")) {
    lexer_.expect("(");
    const double re = real();
    lexer_.expect(",");
    const double im = real();
    lexer_.expect(")");
    return Argument(Argument::Variant(std::complex<double>(re, im)));
  }
  if (lexer_.accept("opaque")) {
    Argument::Opaque opaque;
    lexer_.expect("(");
    opaque.kind = lexer_.expect(TokenKind::string, "a kind in quotes").value;
    lexer_.expect(",");
    opaque.json = lexer_.expect(TokenKind::string, "JSON in quotes").value;
    lexer_.expect(")");
    return Argument(Argument::Variant(std::move(opaque)));
  }
  if (lexer_.accept("subgraph")) {
    Argument::Subgraph sub;
    sub.name = lexer_.expect(TokenKind::string, "a name in quotes").value;
    if (!lexer_.accept("none")) sub.graph = graph_();
    return Argument(Argument::Variant(std::move(sub)));
  }
  const std::string_view name = lexer_.peek().text;
  std::optional<Argument> result;
  if (const auto dtype = dtype_from_name(name))
    result = Argument(*dtype);
  else if (const auto layout = name.starts_with("layout.") ? find_layout(name.substr(7)) : std::nullopt)
    result = Argument(Argument::Variant(*layout));
  else if (const auto format = name.starts_with("memory_format.") ? find_memory_format(name.substr(14)) : std::nullopt)
    result = Argument(Argument::Variant(*format));
  if (!result) lexer_.fail_expected("an argument" + std::string(graph ? " (nodes are written %name)" : ""));
  lexer_.next();
  return *result;
}

Argument::List ValueParser::items(std::string_view open, std::string_view close, const Graph* graph) {
  Argument::List result;
  lexer_.expect(open);
  while (!lexer_.at(close)) {
    result.push_back(argument(graph));
    if (!lexer_.accept(",")) break;
  }
  lexer_.expect(close);
  return result;
}

Argument::Dict ValueParser::dictionary(const Graph* graph) {
  Argument::Dict result;
  lexer_.expect("{");
  while (!lexer_.at("}")) {
    std::string key = lexer_.expect(TokenKind::string, "a key in quotes").value;
    lexer_.expect(":");
    result.emplace_back(std::move(key), argument(graph));
    if (!lexer_.accept(",")) break;
  }
  lexer_.expect("}");
  return result;
}

double ValueParser::real() {
  if (lexer_.peek().kind == TokenKind::real) return lexer_.next().real;
  if (lexer_.peek().kind == TokenKind::integer) return static_cast<double>(lexer_.next().integer);
  if (lexer_.accept("inf")) return std::numeric_limits<double>::infinity();
  if (lexer_.accept("nan")) return std::numeric_limits<double>::quiet_NaN();
  if (!lexer_.accept("float_bits")) lexer_.fail_expected("a number");
  lexer_.expect("(");
  const Token digits = lexer_.expect(TokenKind::string, "hexadecimal digits in quotes");
  std::uint64_t bits = 0;
  const char* end = digits.value.data() + digits.value.size();
  const auto [stop, error] = std::from_chars(digits.value.data(), end, bits, 16);
  if (error != std::errc() || stop != end) lexer_.fail(digits, "expected up to 16 hexadecimal digits");
  lexer_.expect(")");
  return std::bit_cast<double>(bits);
}

Device ValueParser::device() {
  Device result;
  lexer_.expect("device");
  lexer_.expect("(");
  result.type = lexer_.expect(TokenKind::string, "a device in quotes").value;
  if (lexer_.accept(",")) result.index = lexer_.expect(TokenKind::integer, "the device's index").integer;
  lexer_.expect(")");
  return result;
}

bool ValueParser::boolean() {
  if (lexer_.accept("true")) return true;
  if (lexer_.accept("false")) return false;
  lexer_.fail_expected("true or false");
}

std::string ValueParser::word_or_string(std::string_view what) {
  if (lexer_.peek().kind == TokenKind::word) return std::string(lexer_.next().text);
  return lexer_.expect(TokenKind::string, what).value;
}

ValueType ValueParser::type() {
  const Level level(depth_, lexer_);
  ValueType result;
  if (lexer_.accept("unknown")) return result;
  if (lexer_.accept("(")) {
    ValueType::List list;
    while (!lexer_.at(")")) {
      list.push_back(type());
      if (!lexer_.accept(",")) break;
    }
    lexer_.expect(")");
    result.v = std::move(list);
    return result;
  }
  if (dtype_from_name(lexer_.peek().text)) {
    result.v = tensor_type(/*with_modifiers=*/true);
    return result;
  }
  if (lexer_.accept("symint")) {
    lexer_.expect("(");
    result.v = ValueType::SymIntValue{parse_symint(lexer_)};
  } else if (lexer_.accept("symbool")) {
    lexer_.expect("(");
    ValueType::SymBoolValue value{lexer_.expect(TokenKind::raw, "an expression in backticks").value, {}};
    if (lexer_.accept(":")) value.hint = boolean();
    result.v = std::move(value);
  } else if (lexer_.accept("symfloat")) {
    lexer_.expect("(");
    ValueType::SymFloatValue value{lexer_.expect(TokenKind::raw, "an expression in backticks").value, {}};
    if (lexer_.accept(":")) value.hint = real();
    result.v = std::move(value);
  } else if (lexer_.accept("object")) {
    lexer_.expect("(");
    result.v = ValueType::CustomObject{lexer_.expect(TokenKind::string, "a class in quotes").value};
  } else {
    lexer_.fail_expected("a type, as f32[2, s0], symint(s0), (f32[2], f32[3]) or unknown");
  }
  lexer_.expect(")");
  return result;
}

TensorMeta ValueParser::tensor_type(bool with_modifiers) {
  TensorMeta meta;
  const auto dtype = dtype_from_name(lexer_.peek().text);
  if (!dtype) lexer_.fail_expected("a dtype");
  lexer_.next();
  meta.dtype = *dtype;
  meta.sizes = sizes();
  meta.strides = default_strides(meta.sizes);
  if (!with_modifiers) return meta;
  if (lexer_.accept("strides")) meta.strides = sizes();
  if (lexer_.accept("offset")) meta.storage_offset = parse_symint(lexer_);
  meta.requires_grad = lexer_.accept("requires_grad");
  if (lexer_.at("device")) meta.device = device();
  const Token& token = lexer_.peek();
  if (token.kind == TokenKind::word && token.text.starts_with("layout.")) {
    const auto layout = find_layout(token.text.substr(7));
    if (!layout) lexer_.fail_expected("a layout");
    meta.layout = *layout;
    lexer_.next();
  }
  return meta;
}

std::vector<SymInt> ValueParser::sizes() {
  std::vector<SymInt> result;
  lexer_.expect("[");
  while (!lexer_.at("]")) {
    result.push_back(parse_symint(lexer_));
    if (!lexer_.accept(",")) break;
  }
  lexer_.expect("]");
  return result;
}

}  // namespace qdq::text
