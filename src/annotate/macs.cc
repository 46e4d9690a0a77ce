#include <optional>

#include "annotate/patterns.h"
#include "qdq/annotation_report.h"

namespace qdq {
namespace {

// Sizes with hints for symbols; nothing when one is unknown.
std::optional<std::vector<std::int64_t>> sizes_of(const Node* node) {
  const TensorMeta* meta = node ? node->type.tensor() : nullptr;
  if (!meta) return std::nullopt;
  std::vector<std::int64_t> sizes;
  for (const SymInt& size : meta->sizes) {
    if (size.is_symbolic() && !size.has_hint) return std::nullopt;
    sizes.push_back(size.value);
  }
  return sizes;
}

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  std::int64_t result = 1;
  for (const std::int64_t size : sizes) result *= size;
  return result;
}

// elements * (weights per element of `channel_count` channels)
std::int64_t of_weight(const Node* elements, const Node* weight) {
  const auto count = sizes_of(elements);
  const auto weights = sizes_of(weight);
  if (!count || !weights || weights->empty() || (*weights)[0] == 0) return 0;
  return product(*count) * (product(*weights) / (*weights)[0]);
}

// result elements * length of the inner dimension of `a`
std::int64_t of_product(const Node& result, const Node* a) {
  const auto elements = sizes_of(&result);
  const auto left = sizes_of(a);
  return elements && left && !left->empty() ? product(*elements) * left->back() : 0;
}

// Scores and weighted sum: each of the query's elements meets every key once in each.
std::int64_t of_attention(const Node& node) {
  const auto query = sizes_of(node.input(0));
  const auto key = sizes_of(node.input(1));
  const auto value = sizes_of(node.input(2));
  if (!query || !key || !value || query->empty() || key->size() < 2 || query->back() == 0) return 0;
  const std::int64_t pairs = product(*query) / query->back() * (*key)[key->size() - 2];
  return pairs * (query->back() + value->back());
}

// Every time step of every sample multiplies with all weights of its direction.
std::int64_t of_recurrent(const Node& node) {
  const auto input = sizes_of(node.input(0));
  if (!input || input->size() < 2 || input->back() == 0) return 0;
  std::int64_t weights = 0;
  for (const Node* parameter : node.inputs()) {
    const auto sizes = sizes_of(parameter);
    if (parameter->kind() == NodeKind::get_attr && sizes && sizes->size() == 2) weights += product(*sizes);
  }
  return product(*input) / input->back() * weights;
}

}  // namespace

std::int64_t multiply_accumulates(const Node& node) {
  if (is_conv(node) || is_linear(node)) return of_weight(&node, node.input(1));
  if (is_conv_transpose(node)) return of_weight(node.input(0), node.input(1));
  if (is_matmul(node)) return of_product(node, node.input(0));
  if (is_any_of(node, {"aten.addmm.default", "aten.baddbmm.default"})) return of_product(node, node.input(1));
  if (node.is("aten.scaled_dot_product_attention.default")) return of_attention(node);
  if (is_any_of(node, {"aten.gru.input", "aten.lstm.input"})) return of_recurrent(node);
  return 0;
}

}  // namespace qdq
