#include "cli/matching.h"

#include <string_view>
#include <unordered_set>

namespace qdq::cli {
namespace {

bool is_compared(const Node& node) {
  if (node.kind() != NodeKind::call_function || node.target().starts_with("quantized_decomposed.")) return false;
  const TensorMeta* meta = node.type.tensor();
  return meta == nullptr ? !node.type.known() : is_floating_point(meta->dtype);
}

bool is_batch_norm(const Node& node) {
  return node.is("aten.batch_norm.default") || node.is("aten._native_batch_norm_legit_no_training.default");
}

// The node that holds a batch norm's result: itself, or the getitem of its first result.
const Node* normalised(const Node& batch_norm) {
  if (batch_norm.is("aten.batch_norm.default")) return &batch_norm;
  for (const Node* user : batch_norm.users())
    if (user->is("operator.getitem") && user->args().size() == 2 && user->arg(1) == Argument(0)) return user;
  return nullptr;
}

const Node* counterpart(const Node& node, const Program& other) {
  const Node* found = other.graph().find(node.name());
  return found != nullptr && found->target() == node.target() ? found : nullptr;
}

}  // namespace

std::vector<NodePair> matching_nodes(const Program& reference, const Program& other) {
  std::vector<NodePair> pairs;
  std::unordered_set<const Node*> paired;
  std::unordered_set<std::string_view> folded;  // reference nodes that took a batch norm over
  for (const Node& node : reference.graph().nodes()) {
    if (!is_batch_norm(node) || counterpart(node, other) != nullptr) continue;
    const Node* producer = node.input(0);
    const Node* result = normalised(node);
    const Node* taker = producer != nullptr ? counterpart(*producer, other) : nullptr;
    if (result == nullptr || taker == nullptr) continue;
    folded.insert(producer->name());
    paired.insert(result);
  }
  for (const Node& node : reference.graph().nodes()) {
    if (paired.contains(&node)) {
      const Node& batch_norm = is_batch_norm(node) ? node : *node.input(0);
      pairs.push_back({node.name(), batch_norm.input(0)->name(), batch_norm.target()});
    } else if (is_compared(node) && !folded.contains(node.name()) && counterpart(node, other) != nullptr) {
      pairs.push_back({node.name(), node.name(), node.target()});
    }
  }
  return pairs;
}

}  // namespace qdq::cli
