#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "ops/schema.h"
#include "qdq/numeric_debugger.h"

namespace qdq {
namespace {

bool is_quantization(const Node& node) {
  return node.target().starts_with("quantized_decomposed.") || node.target().starts_with("torchao.");
}

bool is_compared(const Node& node) {
  if (node.kind() != NodeKind::call_function || is_quantization(node)) return false;
  const OpSchema* schema = find_schema(node.target());
  if (schema && schema->traits.is_assertion) return false;  // it has no result
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

// Both values are of equal sizes as far as the types know them.
bool have_equal_sizes(const Node& a, const Node& b) {
  const TensorMeta *x = a.type.tensor(), *y = b.type.tensor();
  if (!x || !y) return true;
  if (x->sizes.size() != y->sizes.size()) return false;
  for (std::size_t i = 0; i < x->sizes.size(); ++i)
    if (!x->sizes[i].is_symbolic() && !y->sizes[i].is_symbolic() && x->sizes[i].value != y->sizes[i].value)
      return false;
  return true;
}

class Matcher {
 public:
  explicit Matcher(const Program& other) : other_(other) {
    for (const Node& node : other.graph().nodes())
      if (const auto handle = numeric_debug_handle(node))
        if (!is_quantization(node)) by_handle_.emplace(*handle, &node);
  }

  const Node* counterpart(const Node& node) const {
    const Node* found = nullptr;
    if (const auto handle = numeric_debug_handle(node); handle && !by_handle_.empty()) {
      const auto at = by_handle_.find(*handle);
      if (at != by_handle_.end()) found = at->second;
    } else {
      found = other_.graph().find(node.name());
    }
    const bool fits = found && found->target() == node.target() && have_equal_sizes(node, *found);
    return fits ? found : nullptr;
  }

 private:
  const Program& other_;
  std::unordered_map<std::int64_t, const Node*> by_handle_;
};

}  // namespace

std::vector<NodePair> matching_nodes(const Program& reference, const Program& other) {
  const Matcher matcher(other);
  std::vector<NodePair> pairs;
  std::unordered_map<const Node*, const Node*> taken_over;  // a batch norm's result -> who computes it in `other`
  std::unordered_set<const Node*> takers;                   // in `reference`: their values have no counterpart
  for (const Node& node : reference.graph().nodes()) {
    if (!is_batch_norm(node) || matcher.counterpart(node)) continue;
    const Node* producer = node.input(0);
    const Node* result = normalised(node);
    const Node* taker = producer ? matcher.counterpart(*producer) : nullptr;
    if (!result || !taker) continue;
    takers.insert(producer);
    taken_over[result] = taker;
  }
  for (const Node& node : reference.graph().nodes()) {
    if (const auto taker = taken_over.find(&node); taker != taken_over.end()) {
      const Node& batch_norm = is_batch_norm(node) ? node : *node.input(0);
      pairs.push_back({node.name(), taker->second->name(), batch_norm.target()});
    } else if (is_compared(node) && !takers.contains(&node)) {
      if (const Node* found = matcher.counterpart(node)) pairs.push_back({node.name(), found->name(), node.target()});
    }
  }
  return pairs;
}

}  // namespace qdq
