#include "passes/inline_set_grad_enabled.h"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph/copy_node.h"

namespace qdq {
namespace {

constexpr std::string_view kSetGradEnabled = "higher_order.wrap_with_set_grad_enabled";

using Results = std::vector<const Node*>;  // of a block: its own nodes, or its placeholders

const Graph* block_of(const Node& wrapper) {
  const auto* sub = wrapper.args().size() < 2 ? nullptr : wrapper.arg(1).get_if<Argument::Subgraph>();
  return sub ? sub->graph.get() : nullptr;
}

Results results_of(const Graph& block) {
  Results results;
  const Node* output = block.output_node();
  if (!output || output->args().empty() || !output->arg(0).list()) return results;
  for (const Argument& result : *output->arg(0).list()) results.push_back(result.node());
  return results;
}

bool returns_one_value(const Node& wrapper, const Results& results) {
  return wrapper.is_hop_single_tensor_return.value_or(false) && results.size() == 1 && results[0];
}

// The result that `user` reads as an item of `wrapper`; null when it reads something else.
const Node* item_read_by(const Node& user, const Results& results) {
  if (!user.is("operator.getitem") || user.args().size() != 2) return nullptr;
  const auto* index = user.arg(1).get_if<std::int64_t>();
  const bool exists = index && *index >= 0 && *index < static_cast<std::int64_t>(results.size());
  return exists ? results[static_cast<std::size_t>(*index)] : nullptr;
}

NoMatch why_not(const Node& wrapper) {
  const Graph* block = block_of(wrapper);
  if (!block) return NoMatch("it has no block");
  const std::size_t inputs = block->placeholders().size();
  if (inputs != wrapper.args().size() - 2)
    return NoMatch("its block takes " + std::to_string(inputs) + " values and gets " +
                   std::to_string(wrapper.args().size() - 2));
  for (std::size_t i = 2; i < wrapper.args().size(); ++i)
    if (!wrapper.input(i)) return NoMatch("argument " + std::to_string(i) + " is no value of a node");
  const Results results = results_of(*block);
  if (returns_one_value(wrapper, results)) return {};
  for (const Node* user : wrapper.users())
    if (!item_read_by(*user, results)) return NoMatch("'" + user->name() + "' reads no item of its results");
  return {};
}

void inline_block(Node& wrapper) {
  const Graph& block = *block_of(wrapper);
  const Results results = results_of(block);
  Graph& graph = wrapper.graph();
  std::unordered_map<const Node*, Argument> values;
  const auto value_of = [&](const Node& node) { return values.at(&node); };
  std::vector<std::pair<Node*, std::string>> made;
  std::size_t operand = 2;
  const auto here = graph.inserting_before(wrapper);
  for (const Node& node : block.nodes()) {
    if (node.is_output()) break;
    if (node.kind() == NodeKind::placeholder) {
      values[&node] = wrapper.arg(operand++);
      continue;
    }
    Node& copy = copy_node(graph, node, value_of);
    values[&node] = Argument(copy);
    made.emplace_back(&copy, node.name());
  }
  if (returns_one_value(wrapper, results)) {
    wrapper.replace_all_uses_with(*value_of(*results[0]).node());
  } else {
    for (Node* item : wrapper.users()) {
      item->replace_all_uses_with(*value_of(*item_read_by(*item, results)).node());
      graph.erase(*item);
    }
  }
  graph.erase(wrapper);
  // The wrapper often had the name of the op that its result comes from.
  for (const auto& [node, name] : made)
    if (!graph.find(name)) graph.rename(*node, name);
}

}  // namespace

int inline_set_grad_enabled(Graph& graph) {
  int inlined = 0;
  for (Node& node : graph.nodes()) {
    for (const Argument& argument : node.args())  // blocks within blocks first
      if (const auto* sub = argument.get_if<Argument::Subgraph>(); sub && sub->graph)
        inlined += inline_set_grad_enabled(*sub->graph);
    if (!node.is(kSetGradEnabled)) continue;
    if (const NoMatch why = why_not(node)) {
      graph.note(node, "inline_set_grad_enabled", why);
      continue;
    }
    inline_block(node);
    ++inlined;
  }
  return inlined;
}

}  // namespace qdq
