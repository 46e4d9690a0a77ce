#include "lower/attention_pattern.h"

#include "lower/int8_chain.h"
#include "lower/int8_weight.h"
#include "ops/schema.h"
#include "passes/qdq_ops.h"

namespace qdq::lower {
namespace {

// The number that a node's second operand is: a literal, or a constant of one element.
std::optional<double> number_behind(const Node& node, const Shared& shared) {
  const auto call = literals_of(node);
  if (!call) return std::nullopt;
  if (call->has("other")) return call->number("other");
  const Attribute* constant = attribute_behind(node.input(1), shared);
  const bool is_number = constant && constant->value.defined() && constant->value.numel() == 1;
  return is_number && constant->value.dtype() == DType::float32 ? std::optional(constant->value.item()) : std::nullopt;
}

// Multiplies or divides its first operand by a number: the factor.
std::optional<double> factor_of(const Node& node, const Shared& shared) {
  const bool multiplies = node.is("aten.mul.Tensor") || node.is("aten.mul.Scalar");
  const bool divides = node.is("aten.div.Tensor") || node.is("aten.div.Scalar");
  const auto number = multiplies || divides ? number_behind(node, shared) : std::nullopt;
  if (!number || (divides && *number == 0)) return std::nullopt;
  return divides ? 1.0 / *number : *number;
}

// The mask that an addition adds to its first operand, or null.
const Node* mask_of(const Node& node) {
  const auto call = node.is("aten.add.Tensor") ? literals_of(node) : std::nullopt;
  return call && call->number("alpha") == 1.0 ? node.input(1) : nullptr;
}

bool is_softmax_of_rows(const Node& node) {
  if (!node.is("aten.softmax.int") && !node.is("aten._softmax.default")) return false;
  const auto call = literals_of(node);
  const TensorMeta* meta = node.type.tensor();
  const std::int64_t dim = call->integer("dim");
  if (call->schema().find_arg("dtype") && call->has("dtype")) return false;
  return dim == -1 || (meta && dim == static_cast<std::int64_t>(meta->sizes.size()) - 1);
}

bool is_idle_dropout(const Node& node) {
  return node.is("aten.dropout.default") && !literals_of(node)->boolean("train");
}

bool have_same_grid(const Node& dequantize, const Node& quantize) {
  const auto to = literal_grid(quantize, kQuantizePerTensor), from = literal_grid(dequantize, kDequantizePerTensor);
  return to && from && to->grid == from->grid && to->dtype == from->dtype;
}

bool is_product(const Node& node) { return node.is("aten.matmul.default"); }

}  // namespace

std::optional<AttentionPattern> find_attention(const Node& scores, const Shared& shared) {
  if (!is_product(scores)) return std::nullopt;
  AttentionPattern pattern;
  pattern.scores = &scores;
  bool has_softmax = false;
  for (const Node* node = &scores;;) {
    if (node->num_users() != 1 || shared.kept.contains(node->name()) || shared.aliases.is_mutated(*node))
      return std::nullopt;
    pattern.between.push_back(node);
    const Node& user = *node->users()[0];
    if (user.input(0) != node) return std::nullopt;
    const bool takes_scores = !has_softmax && !pattern.mask;
    if (const auto factor = factor_of(user, shared); factor && takes_scores) {
      pattern.scale *= *factor;
    } else if (const Node* mask = mask_of(user); mask && mask != node && takes_scores) {
      pattern.mask = mask;
    } else if (is_softmax_of_rows(user) && !has_softmax) {
      has_softmax = true;
    } else if (literal_grid(user, kQuantizePerTensor) && has_softmax && !pattern.probabilities) {
      pattern.probabilities = &user;
    } else if (pattern.probabilities == node && have_same_grid(user, *node)) {
      // dequantizes what was quantized
    } else if (is_product(user) && has_softmax && user.input(1) != node) {
      pattern.result = &user;
      return pattern;
    } else if (!is_idle_dropout(user)) {
      return std::nullopt;
    }
    node = &user;
  }
}

}  // namespace qdq::lower
