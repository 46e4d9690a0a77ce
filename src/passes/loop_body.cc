#include "passes/loop_body.h"

#include <utility>

namespace qdq {
namespace {

// Calls fn(node) for each node of the body, and of bodies in it, whose target is the name of an attribute or observer.
template <typename Fn>
void for_each_named(Graph& graph, const Fn& fn) {
  walk_subgraphs(graph, [&](Graph& current) {
    for (Node& node : current.nodes())
      if (node.kind() == NodeKind::get_attr || node.kind() == NodeKind::call_module) fn(node);
  });
}

void move_attribute(Attributes& from, const std::string& name, Attributes& to, std::string new_name) {
  const Attribute* found = from.find(name);
  if (!found || to.contains(new_name)) return;
  Attribute attribute = *found;
  from.erase(name);
  attribute.name = std::move(new_name);
  to.add(std::move(attribute));
}

}  // namespace

const Argument::Subgraph* loop_body(const Node& node) {
  const bool is_scan = node.is("higher_order.scan");
  if (!is_scan && !node.is("higher_order.while_loop")) return nullptr;
  const std::size_t position = is_scan ? 0 : 1;
  if (node.args().size() <= position) return nullptr;
  const auto* body = node.arg(position).get_if<Argument::Subgraph>();
  return body && body->graph && body->graph->output_node() ? body : nullptr;
}

LoopBody::LoopBody(Program& outer, const Argument::Subgraph& body)
    : outer_(outer), prefix_(body.name + "."), graph_(body.graph) {
  for_each_named(*graph_, [&](Node& node) {
    if (!node.target().starts_with(prefix_)) return;
    const std::string name = node.target(), short_name = name.substr(prefix_.size());
    if (node.kind() == NodeKind::get_attr) move_attribute(outer.attributes, name, program_.attributes, short_name);
    node.set_target(short_name);
  });
  for (const Node* placeholder : graph_->placeholders())
    program_.inputs.push_back({InputSpec::Kind::user_input, placeholder->name(), {}});
  if (const auto* results = graph_->output_node()->arg(0).list()) program_.outputs.resize(results->size());
  program_.range_constraints = outer.range_constraints;
  program_.set_graph(graph_);
}

void LoopBody::put_back() {
  if (&program_.graph() != graph_.get())
    throw InvalidArgumentError("the graph of the body '" + prefix_.substr(0, prefix_.size() - 1) +
                               "' was replaced; a body can only be changed in place");
  for (const Attribute& attribute : program_.attributes) {
    Attribute named = attribute;
    named.name = prefix_ + attribute.name;
    outer_.attributes.add(std::move(named));
  }
  for_each_named(*graph_, [&](Node& node) { node.set_target(prefix_ + node.target()); });
}

}  // namespace qdq
