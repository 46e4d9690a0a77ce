#include <limits>
#include <unordered_set>

#include "graph/symbol_text.h"
#include "graph/tensor_text.h"
#include "graph/text_lexer.h"
#include "graph/text_names.h"
#include "graph/text_values.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

using text::Lexer;
using text::Token;
using text::TokenKind;

// What the tensors of one text may take together. Only full(...) and strides can ask for more than the text is long.
constexpr std::int64_t kTensorBudget = std::int64_t{1} << 30;

class Parser {
 public:
  Parser(std::string_view text, std::string_view where)
      : lexer_(text, where), values_(lexer_, [this] { return graph(); }) {}

  Program program() {
    Program result;
    bool inputs_given = false;
    bool outputs_given = false;
    while (!lexer_.at("graph")) {
      if (lexer_.accept("attribute")) {
        attribute(result);
      } else if (lexer_.accept("range")) {
        range(result);
      } else if (lexer_.accept("passthrough")) {
        std::string key = lexer_.expect(TokenKind::string, "a key in quotes").value;
        result.passthrough[std::move(key)] = lexer_.expect(TokenKind::string, "JSON in quotes").value;
      } else if (lexer_.accept("inputs")) {
        lexer_.expect("none");
        inputs_given = true;
      } else if (lexer_.accept("outputs")) {
        lexer_.expect("none");
        outputs_given = true;
      } else if (lexer_.accept("input")) {
        input(result);
        inputs_given = true;
      } else if (lexer_.accept("output")) {
        output(result);
        outputs_given = true;
      } else {
        lexer_.fail_expected("'graph' or a line that begins with attribute, range, input, output or passthrough");
      }
    }
    result.set_graph(graph());
    finish();
    if (!inputs_given)
      for (const Node* node : result.graph().placeholders())
        result.inputs.push_back({InputSpec::Kind::user_input, node->name(), {}});
    const Node* output_node = result.graph().output_node();
    if (!outputs_given && output_node && !output_node->args().empty())
      if (const auto* results = output_node->arg(0).list()) result.outputs.resize(results->size());
    return result;
  }

  std::unique_ptr<Graph> graph() {
    auto result = std::make_unique<Graph>();
    lexer_.expect("graph");
    lexer_.expect("(");
    while (!lexer_.at(")")) {
      const Token name = lexer_.expect(TokenKind::word, "the name of an input or ')'");
      if (!text::is_identifier(name.text)) lexer_.fail(name, "an input's name must be an identifier");
      Node& node = add(*result, name, NodeKind::placeholder, std::string(name.text), std::string(name.text), {});
      if (lexer_.accept(":")) node.type = values_.type();
      if (!lexer_.accept(",")) break;
    }
    lexer_.expect(")");
    result->is_single_tensor_return = lexer_.accept("single_tensor_return");
    lexer_.expect("{");
    while (!lexer_.accept("}")) statement(*result);
    return result;
  }

  void finish() {
    if (lexer_.peek().kind != TokenKind::end) lexer_.fail_expected("the end of the text");
  }

 private:
  struct Arguments {
    Argument::List args;
    Argument::Dict kwargs;
  };

  Node& add(Graph& graph, const Token& where, NodeKind kind, const std::string& name, std::string target,
            Arguments arguments) {
    if (graph.find(name)) lexer_.fail(where, "a second node named '" + name + "'");
    return graph.create(kind, target, std::move(arguments.args), std::move(arguments.kwargs), name);
  }

  void statement(Graph& graph) {
    const Token start = lexer_.peek();
    if (lexer_.accept("note")) {
      const std::string node = lexer_.expect(TokenKind::string, "a node's name in quotes").value;
      const std::string pass = lexer_.expect(TokenKind::string, "a pass in quotes").value;
      graph.add_note({node, pass, lexer_.expect(TokenKind::string, "a reason in quotes").value});
      return;
    }
    if (lexer_.accept("return")) {
      Argument::List results = values_.items("(", ")", graph);
      Arguments arguments;
      arguments.args.emplace_back(std::move(results));
      details(add(graph, start, NodeKind::output, "output", "output", std::move(arguments)));
      return;
    }
    if (start.kind != TokenKind::node) lexer_.fail_expected("'%name = ...', 'return', 'note' or '}'");
    lexer_.next();
    ValueType type;
    if (lexer_.accept(":")) type = values_.type();
    lexer_.expect("=");
    auto [kind, target] = operation();
    const bool needs_parentheses = kind == NodeKind::call_function || kind == NodeKind::call_module;
    Node& node = add(graph, start, kind, start.value, std::move(target),
                     needs_parentheses || lexer_.at("(") ? arguments(graph) : Arguments());
    node.type = std::move(type);
    details(node);
  }

  std::pair<NodeKind, std::string> operation() {
    if (lexer_.accept("get_attr")) return {NodeKind::get_attr, lexer_.expect(TokenKind::at, "@name").value};
    if (lexer_.accept("call_module")) return {NodeKind::call_module, lexer_.expect(TokenKind::at, "@name").value};
    if (lexer_.accept("placeholder"))
      return {NodeKind::placeholder, lexer_.expect(TokenKind::string, "a name in quotes").value};
    if (lexer_.accept("output")) return {NodeKind::output, lexer_.expect(TokenKind::string, "a name in quotes").value};
    return {NodeKind::call_function,
            values_.word_or_string("an operator, get_attr, call_module, placeholder or output")};
  }

  Arguments arguments(Graph& graph) {
    Arguments result;
    std::unordered_set<std::string> seen;
    lexer_.expect("(");
    while (!lexer_.at(")")) {
      if (lexer_.at("=", 1)) {
        const Token key_token = lexer_.peek();
        std::string key = values_.word_or_string("the name of an argument");
        if (!seen.insert(key).second) lexer_.fail(key_token, "argument '" + key + "' given twice");
        lexer_.expect("=");
        result.kwargs.emplace_back(std::move(key), values_.argument(&graph));
      } else if (!result.kwargs.empty()) {
        lexer_.fail_expected("another name=value, as positional arguments come first");
      } else {
        result.args.push_back(values_.argument(&graph));
      }
      if (!lexer_.accept(",")) break;
    }
    lexer_.expect(")");
    return result;
  }

  // The lines below a node in the full form.
  void details(Node& node) {
    while (true) {
      if (lexer_.peek().kind == TokenKind::at) {
        const std::string key = lexer_.next().value;
        node.meta.set(key, lexer_.expect(TokenKind::string, "the value of @" + key + " in quotes").value);
      } else if (lexer_.accept("arg_names")) {
        lexer_.expect("[");
        while (!lexer_.at("]")) {
          node.arg_names.push_back(lexer_.expect(TokenKind::string, "a name in quotes").value);
          if (!lexer_.accept(",")) break;
        }
        lexer_.expect("]");
      } else if (lexer_.accept("hop_single_tensor_return")) {
        node.is_hop_single_tensor_return = values_.boolean();
      } else {
        return;
      }
    }
  }

  void attribute(Program& program) {
    const Token name = lexer_.expect(TokenKind::at, "@name");
    if (program.attributes.contains(name.value)) lexer_.fail(name, "a second attribute named '" + name.value + "'");
    Attribute result;
    result.name = name.value;
    lexer_.expect(":");
    const auto kind = text::find_attribute_kind(lexer_.peek().text);
    if (!kind) lexer_.fail_expected("parameter, buffer, constant or custom_obj");
    lexer_.next();
    result.kind = *kind;
    const Token type_token = lexer_.peek();
    if (type_token.kind == TokenKind::word && dtype_from_name(type_token.text)) {
      const TensorMeta meta = values_.tensor_type(/*with_modifiers=*/false);
      const Shape sizes = known_sizes(meta.sizes, type_token);
      Shape strides = contiguous_strides_checked(sizes, type_token);
      if (lexer_.accept("strides")) strides = known_sizes(values_.sizes(), type_token);
      if (strides.size() != sizes.size()) lexer_.fail(type_token, "expected as many strides as sizes");
      attribute_flags(result);
      if (lexer_.accept("="))
        result.value = text::with_strides(lexer_, type_token, text::parse_values(lexer_, meta.dtype, sizes, budget_),
                                          strides, budget_);
      else
        result.value = Tensor::meta(meta.dtype, sizes, strides);
    } else {
      attribute_flags(result);
    }
    program.attributes.add(std::move(result));
  }

  void attribute_flags(Attribute& attribute) {
    while (true) {
      if (lexer_.accept("requires_grad"))
        attribute.requires_grad = true;
      else if (lexer_.accept("non_persistent"))
        attribute.persistent = false;
      else if (lexer_.accept("lifted"))
        attribute.lifted_name = lexer_.expect(TokenKind::string, "a name in quotes").value;
      else
        return;
    }
  }

  Shape known_sizes(const std::vector<SymInt>& sizes, const Token& where) {
    Shape result;
    for (const SymInt& size : sizes) {
      if (size.is_symbolic() || size.value < 0)
        lexer_.fail(where, "an attribute's sizes and strides must be numbers, none negative");
      result.push_back(size.value);
    }
    return result;
  }

  Shape contiguous_strides_checked(const Shape& sizes, const Token& where) {
    try {
      numel(sizes);
    } catch (const InvalidArgumentError& e) {
      lexer_.fail(where, e.what());
    }
    return contiguous_strides(sizes);
  }

  void range(Program& program) {
    const std::string symbol = values_.word_or_string("a symbol");
    lexer_.expect(":");
    SymbolRange& result = program.range_constraints[symbol];
    result.min = bound();
    lexer_.expect("..");
    result.max = bound();
  }

  std::optional<std::int64_t> bound() {
    if (lexer_.accept("_")) return std::nullopt;
    return lexer_.expect(TokenKind::integer, "a number, or _ for no bound").integer;
  }

  void input(Program& program) {
    InputSpec spec;
    const auto kind = text::find_input_kind(lexer_.peek().text);
    if (!kind) lexer_.fail_expected("user_input, constant_input or token");
    lexer_.next();
    spec.kind = *kind;
    spec.name = lexer_.expect(TokenKind::string, "the input's name in quotes").value;
    if (lexer_.accept("=")) spec.constant = values_.argument(nullptr);
    program.inputs.push_back(std::move(spec));
  }

  void output(Program& program) {
    OutputSpec spec;
    const auto kind = text::find_output_kind(lexer_.peek().text);
    if (!kind) lexer_.fail_expected("the kind of an output, as user_output or buffer_mutation");
    lexer_.next();
    spec.kind = *kind;
    if (lexer_.peek().kind == TokenKind::string) spec.target = lexer_.next().value;
    program.outputs.push_back(std::move(spec));
  }

  Lexer lexer_;
  text::ValueParser values_;
  std::int64_t budget_ = kTensorBudget;
};

}  // namespace

Program parse_program(std::string_view text, std::string_view where) { return Parser(text, where).program(); }

std::unique_ptr<Graph> parse_graph(std::string_view text, std::string_view where) {
  Parser parser(text, where);
  auto graph = parser.graph();
  parser.finish();
  return graph;
}

}  // namespace qdq
