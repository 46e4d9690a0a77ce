#include "graph/copy_node.h"

namespace qdq {
namespace {

// `body` maps the bodies of higher-order ops.
template <typename Body>
Argument map_argument(const Argument& argument, const Substitute& substitute, const Body& body) {
  if (Node* node = argument.node()) return substitute(*node);
  if (const auto* list = argument.list()) {
    Argument::List mapped;
    mapped.reserve(list->size());
    for (const Argument& item : *list) mapped.push_back(map_argument(item, substitute, body));
    return Argument(std::move(mapped));
  }
  if (const auto* dict = argument.get_if<Argument::Dict>()) {
    Argument::Dict mapped;
    for (const auto& [key, item] : *dict) mapped.emplace_back(key, map_argument(item, substitute, body));
    return Argument(Argument::Variant(std::move(mapped)));
  }
  if (const auto* sub = argument.get_if<Argument::Subgraph>()) return Argument(Argument::Variant(body(*sub)));
  return argument;
}

}  // namespace

Argument map_nodes(const Argument& argument, const Substitute& substitute) {
  return map_argument(argument, substitute, [](const Argument::Subgraph& sub) { return sub; });
}

Node& copy_node(Graph& graph, const Node& node, const Substitute& substitute) {
  const auto copied = [&](const Argument& argument) {
    return map_argument(argument, substitute, [](const Argument::Subgraph& sub) {
      return Argument::Subgraph{sub.name, sub.graph ? sub.graph->clone() : nullptr};
    });
  };
  Argument::List args;
  args.reserve(node.args().size());
  for (const Argument& argument : node.args()) args.push_back(copied(argument));
  Argument::Dict kwargs;
  for (const auto& [key, argument] : node.kwargs()) kwargs.emplace_back(key, copied(argument));
  Node& twin = graph.create(node.kind(), node.target(), std::move(args), std::move(kwargs), node.name());
  twin.type = node.type;
  twin.meta = node.meta;
  twin.annotation = node.annotation;
  twin.arg_names = node.arg_names;
  twin.is_hop_single_tensor_return = node.is_hop_single_tensor_return;
  return twin;
}

}  // namespace qdq
