#include "ops/alias.h"

#include <algorithm>
#include <array>

#include "ops/schema.h"

namespace qdq {
namespace {

// Ops that torch's schemas do not call views but that return their input when there is nothing to do.
constexpr std::array kMaybeViews = {
    "aten.reshape.default",
    "aten.flatten.using_ints",
    "aten.contiguous.default",
    "aten.dropout.default",
    "aten.to.dtype",
    "aten.dropout_.default",
    "aten.feature_dropout.default",
    "aten.alpha_dropout.default",
    "aten.to.device",
    "aten.to.dtype_layout",
    "operator.getitem",
    "aten.float.default",
    "aten.type_as.default",
};

// Views whose meaning depends on the strides of their source.
constexpr std::array kReshapes = {
    "aten.view.default",       "aten.reshape.default", "aten._unsafe_view.default",
    "aten.flatten.using_ints", "aten.unflatten.int",   "aten.as_strided.default",
    "aten.contiguous.default", "aten.view.dtype",      "aten.ravel.default",
};

bool may_alias_first_argument(const Node& node) {
  if (node.kind() == NodeKind::call_module) return true;
  if (node.kind() != NodeKind::call_function) return false;
  if (std::find(kMaybeViews.begin(), kMaybeViews.end(), node.target()) != kMaybeViews.end()) return true;
  const OpSchema* schema = find_schema(node.target());
  if (!schema) return false;
  return schema->traits.is_view || (!schema->args.empty() && schema->args[0].is_aliased);
}

}  // namespace

AliasAnalysis::AliasAnalysis(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    const Node* source = may_alias_first_argument(node) ? node.input(0) : nullptr;
    roots_[&node] = source ? root(*source) : &node;
  }
  std::size_t position = 0;
  for (const Node& node : graph.nodes()) {
    ++position;
    if (std::find(kReshapes.begin(), kReshapes.end(), node.target()) != kReshapes.end()) {
      std::size_t& first = memory_[root(node)].first_reshape;
      first = std::min(first, position);
    }
    const OpSchema* schema = node.kind() == NodeKind::call_function ? find_schema(node.target()) : nullptr;
    if (!schema) continue;
    for (std::size_t i = 0; i < schema->args.size(); ++i) {
      if (!schema->args[i].is_written) continue;
      const Argument* written = i < node.args().size() ? &node.args()[i] : node.kwarg(schema->args[i].name);
      if (!written) continue;
      for_each_node(*written, [&](const Node& target) {
        Memory& memory = memory_[root(target)];
        memory.last_write = position;
        memory.written = true;
      });
    }
  }
}

bool AliasAnalysis::is_mutated(const Node& node) const {
  const auto found = memory_.find(root(node));
  return found != memory_.end() && found->second.written;
}

bool AliasAnalysis::needs_row_major(const Node& node) const {
  const auto found = memory_.find(root(node));
  return found != memory_.end() && found->second.written && found->second.last_write > found->second.first_reshape;
}

const Node* AliasAnalysis::root(const Node& node) const {
  const auto found = roots_.find(&node);
  return found == roots_.end() ? &node : found->second;
}

}  // namespace qdq
