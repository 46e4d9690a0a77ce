#include "accuracy/channel_groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

#include "accuracy/factor_ops.h"
#include "accuracy/weighted_layers.h"

namespace qdq {
namespace {

// Both values, of one size: no broadcasting.
bool adds_values(const Node& node) {
  if (!node.is("aten.add.Tensor") && !node.is("aten.add_.Tensor")) return false;
  const TensorMeta* result = node.type.tensor();
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const Node* input = node.input(i);
    if (!input || !input->type.tensor() || !result || !(input->type.tensor()->sizes == result->sizes)) return false;
  }
  return true;
}

class GroupFinder {
 public:
  GroupFinder(Program& program, std::vector<SkippedLayer>& skipped) : program_(program), skipped_(skipped) {
    for (Node& node : program.graph().nodes()) {
      position_[&node] = nodes_.size();
      nodes_.push_back(&node);
    }
    parent_.resize(nodes_.size());
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    why_fixed_.resize(nodes_.size());
  }

  std::vector<ChannelGroup> run() {
    for (Node* node : nodes_) visit(*node);
    std::map<std::size_t, ChannelGroup> groups;  // by the first of their values
    std::unordered_map<std::size_t, std::size_t> first;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const std::size_t root = find(i);
      const std::size_t key = first.emplace(root, i).first->second;
      ChannelGroup& group = groups[key];
      group.values.push_back(nodes_[i]);
      if (is_own_layer(*nodes_[i])) group.producers.push_back(nodes_[i]);
      if (const auto clamp = upper_clamp(*nodes_[i])) group.clamp = std::min(group.clamp.value_or(*clamp), *clamp);
      for (Node* user : nodes_[i]->users())
        if (is_own_layer(*user) && user->input(0) == nodes_[i]) group.consumers.push_back(user);
    }
    std::vector<ChannelGroup> result;
    for (auto& [key, group] : groups) {
      if (group.producers.empty()) continue;
      std::string why = why_fixed_[find(key)];
      if (why.empty() && group.consumers.empty()) why = "no layer reads it";
      if (why.empty())
        result.push_back(std::move(group));
      else
        for (const Node* producer : group.producers) skipped_.push_back({producer->name(), why});
    }
    return result;
  }

 private:
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(const Node& a, const Node& b) {
    const std::size_t x = find(position_.at(&a));
    const std::size_t y = find(position_.at(&b));
    if (why_fixed_[x].empty()) why_fixed_[x] = why_fixed_[y];
    parent_[y] = x;
  }
  void fix(const Node& node, const std::string& why) {
    std::string& known = why_fixed_[find(position_.at(&node))];
    if (known.empty()) known = why;
  }

  bool is_own_layer(const Node& node) const { return is_weighted(node) && why_not_own(program_, node).empty(); }

  void visit(Node& node) {
    const std::string reader = "'" + node.name() + "' (" + node.target() + ") ";
    if (is_weighted(node)) {
      const std::string why = why_not_own(program_, node);
      if (why.empty()) return;
      fix(node, reader + "cannot be scaled: " + why);
      for (const Node* input : node.inputs()) fix(*input, reader + "cannot be scaled: " + why);
    } else if (lets_factors_through(node) || drops_single_pixels(node) || upper_clamp(node)) {
      join(*node.input(0), node);
    } else if (adds_values(node)) {
      join(*node.input(0), node);
      join(*node.input(1), node);
    } else {
      fix(node, node.is_output() ? "" : reader + "makes it");
      for (const Node* input : node.inputs())
        fix(*input, node.is_output() ? "it is a result of the program" : reader + "lets no factor through");
    }
  }

  Program& program_;
  std::vector<SkippedLayer>& skipped_;
  std::vector<Node*> nodes_;
  std::unordered_map<const Node*, std::size_t> position_;
  std::vector<std::size_t> parent_;
  std::vector<std::string> why_fixed_;  // of the root of each group; empty: factors are welcome
};

}  // namespace

std::vector<ChannelGroup> channel_groups(Program& program, std::vector<SkippedLayer>& skipped) {
  return GroupFinder(program, skipped).run();
}

}  // namespace qdq
