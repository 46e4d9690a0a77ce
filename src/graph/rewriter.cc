#include "graph/rewriter.h"

#include <algorithm>
#include <vector>

#include "graph/copy_node.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

using Bindings = std::map<const Node*, Argument>;

Argument value_of(const std::string& name, const Match& match, const Replacement::Values& values) {
  if (const auto given = values.find(name); given != values.end()) return given->second;
  if (const auto input = match.inputs.find(name); input != match.inputs.end()) return input->second;
  if (const auto node = match.nodes.find(name); node != match.nodes.end()) return Argument(*node->second);
  throw InternalError("the replacement's input '" + name + "' is no input or operator of the pattern");
}

void erase_unused(const Match& match) {
  std::vector<Node*> nodes;
  for (const auto& [name, node] : match.nodes)
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
  // Users before producers.
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return b->is_before(*a); });
  for (Node* node : nodes)
    if (node->num_users() == 0) node->graph().erase(*node);
}

}  // namespace

Replacement::Replacement(std::string_view text) : graph_(parse_graph(text, "replacement")) {
  const Node* output = graph_->output_node();
  const auto* results = output ? output->arg(0).list() : nullptr;
  result_ = results && results->size() == 1 ? results->front().node() : nullptr;
  if (!result_) throw InvalidArgumentError("a replacement returns one node; found " + std::string(text));
}

Node& Replacement::apply(const Match& match, const Values& values) const {
  Node& anchor = *match.anchor;
  Graph& graph = anchor.graph();
  Bindings bindings;
  const auto here = graph.inserting_after(anchor);  // the replacement may read the anchor
  for (const Node& node : graph_->nodes()) {
    if (node.is_output()) break;
    if (node.kind() == NodeKind::placeholder) {
      bindings[&node] = value_of(node.name(), match, values);
      continue;
    }
    Argument::List args;
    const auto bound = [&](const Node& input) { return bindings.at(&input); };
    for (const Argument& argument : node.args()) args.push_back(map_nodes(argument, bound));
    Argument::Dict kwargs;
    for (const auto& [key, argument] : node.kwargs()) kwargs.emplace_back(key, map_nodes(argument, bound));
    Node& made = graph.create(node.kind(), node.target(), std::move(args), std::move(kwargs), node.name());
    made.type = node.type;
    made.meta = anchor.meta;
    if (&node == result_ && !made.type.known()) made.type = anchor.type;
    bindings[&node] = Argument(made);
  }
  Node* result = bindings.at(result_).node();
  if (!result) throw InternalError("the replacement of " + anchor.describe() + " is a literal, a node was expected");
  // What was made to read the anchor goes on to do so.
  anchor.replace_uses_with_if(*result, [&](const Node& user) {
    return std::none_of(bindings.begin(), bindings.end(), [&](const auto& entry) {
      return entry.first->kind() != NodeKind::placeholder && entry.second.node() == &user;
    });
  });
  erase_unused(match);
  return *result;
}

int replace_all(Graph& graph, std::string_view pass, const Pattern& pattern, const Replacement& replacement,
                const Guard& guard) {
  // A list made beforehand: replacements that contain the pattern again must not be replaced for ever.
  std::vector<Node*> candidates;
  for (Node& node : graph.nodes())
    if (pattern.may_match(node)) candidates.push_back(&node);
  int replaced = 0;
  for (Node* candidate : candidates) {
    Node& node = *candidate;
    if (node.erased()) continue;
    const MatchResult found = pattern.match(node);
    Replacement::Values values;
    const NoMatch reason = !found ? found.reason : guard ? guard(*found, values) : NoMatch();
    if (reason) {
      graph.note(node, pass, reason);
      continue;
    }
    replacement.apply(*found, values);
    ++replaced;
  }
  return replaced;
}

}  // namespace qdq
