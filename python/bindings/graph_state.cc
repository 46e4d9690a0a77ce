// A graph as it was: what changed since then is all that has to be carried back to torch.fx.
#include <unordered_map>

#include "bindings.h"

namespace qdq::python {
namespace {

using Nodes = std::vector<std::shared_ptr<Node>>;

class GraphState {
 public:
  struct Changes {
    Nodes calls;     // other arguments or another target
    Nodes metadata;  // other metadata
    Nodes places;    // another name, or other users, or the same ones in another order
  };

  explicit GraphState(std::shared_ptr<Graph> graph) : graph_(std::move(graph)) {
    nodes_.reserve(graph_->size());
    for (const Node& node : graph_->nodes())
      nodes_.emplace(&node, Entry{node.name(), node.target(), node.args(), node.kwargs(), node.users(), node.meta});
  }

  // Of the nodes that were there: nodes that came since are nobody's change.
  Changes changes() const {
    Changes changes;
    for (Node& node : graph_->nodes()) {
      const auto at = nodes_.find(&node);
      if (at == nodes_.end()) continue;
      const Entry& was = at->second;
      if (was.target != node.target() || was.args != node.args() || was.kwargs != node.kwargs())
        changes.calls.push_back(shared(&node));
      if (was.meta != node.meta) changes.metadata.push_back(shared(&node));
      if (was.name != node.name() || was.users != node.users()) changes.places.push_back(shared(&node));
    }
    return changes;
  }

  std::vector<std::pair<std::string, std::string>> metadata(const Node& node) const {
    const auto at = nodes_.find(&node);
    if (at == nodes_.end()) throw InvalidArgumentError(node.describe() + " was not in the graph then");
    return items_of(at->second.meta);
  }

 private:
  struct Entry {
    std::string name;
    std::string target;
    Argument::List args;
    Argument::Dict kwargs;
    std::vector<Node*> users;
    Metadata meta;  // shares its entries with the node until these change
  };

  std::shared_ptr<Graph> graph_;  // keeps the nodes, erased ones too
  std::unordered_map<const Node*, Entry> nodes_;
};

}  // namespace

void bind_graph_state(nb::module_& m) {
  nb::class_<GraphState>(m, "_GraphState", "A graph as it was when this was made.")
      .def(nb::init<std::shared_ptr<Graph>>(), "graph"_a)
      .def(
          "changes",
          [](const GraphState& self) {
            auto [calls, metadata, places] = self.changes();
            return std::make_tuple(std::move(calls), std::move(metadata), std::move(places));
          },
          "The nodes that have changed since: arguments or target; metadata; name or users. None that are new.")
      .def("metadata", &GraphState::metadata, "node"_a, "The entries that the node had.");
}

}  // namespace qdq::python
