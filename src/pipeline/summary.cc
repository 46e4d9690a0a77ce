#include <unordered_set>

#include "passes/qdq_ops.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

bool is_bookkeeping(const Node& node) {
  return node.kind() != NodeKind::call_function || is_quantize(node) || is_dequantize(node) ||
         is_choose_qparams(node) || is_size_query(node) || node.is("operator.getitem") ||
         node.is(kConvertElementType) || node.target().starts_with("_operator.") ||
         node.target().starts_with("aten._assert");
}

bool is_float_tensor(const Node& node) {
  const TensorMeta* meta = node.type.tensor();
  return meta && is_floating_point(meta->dtype);
}

// A weight that stayed in float. Biases, which have one dimension, do so in quantized ops too.
bool is_float_weight(const Node& node) {
  return node.kind() == NodeKind::get_attr && is_float_tensor(node) && node.type.tensor()->sizes.size() > 1;
}

// A relu between a quantized convolution and the quantize of its result is part of that one quantized op.
bool is_fused_with(const Node& producer, const Node& node) {
  if (producer.num_users() != 1 || node.num_users() == 0) return false;
  for (const Node* user : node.users())
    if (!is_quantize(*user)) return false;
  return true;
}

}  // namespace

std::int64_t QuantizationSummary::quantized() const {
  std::int64_t total = 0;
  for (const auto& [op, count] : ops) total += count.quantized;
  return total;
}

std::int64_t QuantizationSummary::in_float() const {
  std::int64_t total = 0;
  for (const auto& [op, count] : ops) total += count.in_float;
  return total;
}

QuantizationSummary summarize_quantization(const Program& program) {
  QuantizationSummary summary;
  std::unordered_set<const Node*> quantized;
  for (Node& node : program.graph().nodes()) {
    if (is_bookkeeping(node)) continue;
    bool reads_float = false;
    bool reads_quantized = false;
    for (const Node* input : node.inputs()) {
      const bool activation = input->kind() != NodeKind::get_attr;
      if (activation && is_dequantize(*input))
        reads_quantized = true;
      else if (quantized.contains(input) && is_fused_with(*input, node))
        reads_quantized = true;
      else if ((activation && is_float_tensor(*input)) || is_float_weight(*input))
        reads_float = true;
    }
    auto& count = summary.ops[node.target()];
    const bool is_quantized = reads_quantized && !reads_float;
    if (is_quantized) quantized.insert(&node);
    ++(is_quantized ? count.quantized : count.in_float);
  }
  return summary;
}

}  // namespace qdq
