#pragma once
#include <bit>
#include <cstdint>
#include <string>

#include "qdq/graph.h"

namespace qdq {

// One line for each node, the same text that tests/python/graph_lines.py makes of a torch.fx graph: names, targets and
// arguments, floats as their bits; then the lines of each body of a higher-order op. For comparing graphs with PyTorch's.
std::string argument_text(const Argument& argument);

struct ArgumentPrinter {
  std::string operator()(Argument::None) const { return "None"; }
  std::string operator()(Node* node) const { return "%" + node->name(); }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return "f" + std::to_string(std::bit_cast<std::int64_t>(value)); }
  std::string operator()(bool value) const { return value ? "True" : "False"; }
  std::string operator()(const std::string& value) const { return "'" + value + "'"; }
  std::string operator()(DType value) const { return "torch." + std::string(name(value)); }
  std::string operator()(const Argument::List& list) const {
    std::string text = "[";
    for (const Argument& item : list) text += (text.size() > 1 ? ", " : "") + argument_text(item);
    return text + "]";
  }
  std::string operator()(const Device& value) const { return value.type; }
  std::string operator()(const Argument::Operator& op) const { return "op " + op.target; }
  std::string operator()(const Argument::Subgraph& body) const { return "subgraph " + body.name; }
  template <typename Other>
  std::string operator()(const Other&) const {
    return "?";
  }
};

inline std::string argument_text(const Argument& argument) { return argument.visit(ArgumentPrinter{}); }

inline std::string graph_lines(const Graph& graph, const std::string& prefix = "") {
  std::string text;
  for (const Node& node : graph.nodes()) {
    text += node.name() + " = " + std::string(name(node.kind())) + " " +
            (node.kind() == NodeKind::placeholder || node.is_output() ? "" : node.target()) + "(";
    bool first = true;
    for (const Argument& argument : node.args()) {
      text += (first ? "" : ", ") + argument_text(argument);
      first = false;
    }
    for (const auto& [key, argument] : node.kwargs()) {
      text += (first ? "" : ", ") + key + "=" + argument_text(argument);
      first = false;
    }
    text += ")\n";
  }
  for (const Node& node : graph.nodes())
    for (const Argument& argument : node.args())
      if (const auto* body = argument.get_if<Argument::Subgraph>())
        text += prefix + body->name + ":\n" + graph_lines(*body->graph, prefix + body->name + ".");
  return text;
}

}  // namespace qdq
