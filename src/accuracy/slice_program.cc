#include "accuracy/slice_program.h"

#include <algorithm>
#include <unordered_map>

#include "graph/copy_node.h"

namespace qdq {
namespace {

bool is_tensor(const Node& node) { return node.type.tensor() != nullptr || !node.type.known(); }

class Slicer {
 public:
  Slicer(const Program& program, const std::unordered_set<const Node*>& recomputed)
      : program_(program), recomputed_(recomputed) {}

  ProgramSlice slice(std::span<const Node* const> nodes, const std::vector<std::string>& results) {
    for (const Node* node : nodes) inside_.insert(node);
    for (const Node* node : nodes) gather_inputs(*node);
    std::vector<const Node*> copied(inside_.begin(), inside_.end());
    std::ranges::sort(copied, [](const Node* a, const Node* b) { return a->is_before(*b); });
    std::ranges::sort(taken_, [](const Node* a, const Node* b) { return a->is_before(*b); });
    for (const Node* node : taken_) take(*node);
    for (const Node* node : copied) copy(*node);
    Argument::List returned;
    for (const std::string& name : results) {
      returned.emplace_back(*twins_.at(program_.graph().find(name)));
      result_.program.outputs.emplace_back();
    }
    result_.program.graph().output(std::move(returned));
    result_.program.range_constraints = program_.range_constraints;
    return std::move(result_);
  }

 private:
  // Depth first without recursion: chains of what is computed again can be long.
  void gather_inputs(const Node& start) {
    std::vector<const Node*> work = {&start};
    while (!work.empty()) {
      const Node* node = work.back();
      work.pop_back();
      for (const Node* input : node->inputs()) {
        if (inside_.contains(input) || !met_.insert(input).second) continue;
        // A parameter may have been added since.
        if (recomputed_.contains(input) || input->kind() == NodeKind::get_attr) {
          inside_.insert(input);
          work.push_back(input);
        } else {
          taken_.push_back(input);
        }
      }
    }
  }

  void take(const Node& node) {
    Graph& graph = result_.program.graph();
    Node& twin = graph.create(NodeKind::placeholder, node.name(), {}, {}, node.name());
    twin.type = node.type;
    twins_[&node] = &twin;
    result_.program.inputs.push_back({InputSpec::Kind::user_input, twin.name(), {}});
    result_.inputs.push_back(node.name());
  }

  void copy(const Node& node) {
    if (node.kind() == NodeKind::get_attr && !result_.program.attributes.contains(node.target()))
      result_.program.attributes.add(*program_.attributes.find(node.target()));
    twins_[&node] =
        &copy_node(result_.program.graph(), node, [&](Node& input) { return Argument(*twins_.at(&input)); });
  }

  const Program& program_;
  const std::unordered_set<const Node*>& recomputed_;
  std::unordered_set<const Node*> inside_;
  std::unordered_set<const Node*> met_;
  std::vector<const Node*> taken_;
  std::unordered_map<const Node*, Node*> twins_;
  ProgramSlice result_;
};

}  // namespace

std::unordered_set<const Node*> recomputed_nodes(const Graph& graph) {
  std::unordered_set<const Node*> result;
  for (const Node& node : graph.nodes()) {
    if (node.kind() == NodeKind::placeholder || node.is_output()) continue;
    const std::vector<Node*> inputs = node.inputs();
    if (!is_tensor(node) || std::ranges::all_of(inputs, [&](const Node* input) {
          return result.contains(input) && is_tensor(*input) && input->kind() != NodeKind::placeholder;
        }))
      result.insert(&node);
  }
  return result;
}

ProgramSlice slice_program(const Program& program, const std::unordered_set<const Node*>& recomputed,
                           std::span<const Node* const> nodes, const std::vector<std::string>& results) {
  return Slicer(program, recomputed).slice(nodes, results);
}

}  // namespace qdq
