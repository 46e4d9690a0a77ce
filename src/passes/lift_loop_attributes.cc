#include "passes/lift_loop_attributes.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "passes/loop_body.h"

namespace qdq {
namespace {

// An attribute and the nodes that read it, in any body of a loop.
struct Read {
  std::string target;
  std::vector<Node*> nodes;
};

std::vector<Read> attributes_read(const std::vector<Graph*>& bodies) {
  std::vector<Read> reads;
  for (Graph* body : bodies)
    for (Node& node : body->nodes()) {
      if (node.kind() != NodeKind::get_attr) continue;
      auto found = std::ranges::find(reads, node.target(), &Read::target);
      if (found == reads.end()) found = reads.insert(reads.end(), Read{node.target(), {}});
      found->nodes.push_back(&node);
    }
  return reads;
}

Node& append_placeholder(Graph& body, const std::string& name) {
  const std::vector<Node*> placeholders = body.placeholders();
  auto at = placeholders.empty() ? body.inserting_before(*body.first()) : body.inserting_after(*placeholders.back());
  return body.create(NodeKind::placeholder, name, {}, {}, name);
}

void lift(Node& loop, const std::vector<Graph*>& bodies, const Read& read) {
  const Node& first = *read.nodes.front();
  const std::string name = first.name();
  Node& outer = [&]() -> Node& {
    auto at = loop.graph().inserting_before(loop);
    return loop.graph().get_attr(read.target);
  }();
  outer.type = first.type;
  outer.meta = first.meta;
  Argument::List args = loop.args();
  if (args.size() <= kLoopConstants) args.emplace_back(Argument::List{});
  args[kLoopConstants].get_if<Argument::List>()->emplace_back(outer);
  loop.set_args(std::move(args));
  for (Graph* body : bodies) {  // all bodies of a loop take the same values
    Node& placeholder = append_placeholder(*body, name);
    placeholder.type = outer.type;
    for (Node* node : read.nodes) {
      if (&node->graph() != body) continue;
      node->replace_all_uses_with(placeholder);
      body->erase(*node);
    }
    body->rename(placeholder, name);
  }
}

bool takes_constants(const Node& loop) {
  const std::size_t count = loop.args().size();
  return count == kLoopConstants || (count > kLoopConstants && loop.arg(kLoopConstants).list());
}

}  // namespace

int lift_loop_attributes(Graph& graph) {
  int lifted = 0;
  if (!graph.may_have_bodies()) return lifted;
  for (Node& node : graph.nodes()) {
    std::vector<Graph*> bodies;
    for (const Argument& argument : node.args())
      if (const auto* sub = argument.get_if<Argument::Subgraph>(); sub && sub->graph)
        bodies.push_back(sub->graph.get());
    for (Graph* body : bodies) lifted += lift_loop_attributes(*body);  // what inner loops read, their bodies read now
    if (!loop_body(node) || !takes_constants(node)) continue;
    for (const Read& read : attributes_read(bodies)) {
      lift(node, bodies, read);
      ++lifted;
    }
  }
  return lifted;
}

}  // namespace qdq
