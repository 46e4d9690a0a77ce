#include "passes/qdq_ops.h"
#include "pipeline/quantized_ops.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

bool is_float_tensor(const Node& node) {
  const TensorMeta* meta = node.type.tensor();
  return meta && is_floating_point(meta->dtype);
}

// A weight that stayed in float. Biases, which have one dimension, do so in quantized ops too.
bool is_float_weight(const Node& node) {
  return node.kind() == NodeKind::get_attr && is_float_tensor(node) && node.type.tensor()->sizes.size() > 1;
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

QuantizedOps::QuantizedOps(const Program& program, const ObserverTest& becomes_dequantize)
    : becomes_dequantize_(becomes_dequantize) {
  for (const Node& node : program.graph().nodes()) {
    if (!is_op(node)) continue;
    bool reads_quantized = false;
    for (const Node* input : node.inputs()) reads_quantized |= is_quantized_activation(*input, node);
    if (reads_quantized && !float_input(node)) ops_.insert(&node);
  }
}

const Node* QuantizedOps::float_input(const Node& op) const {
  for (const Node* input : op.inputs())
    if (!is_quantized_activation(*input, op) &&
        (input->kind() != NodeKind::get_attr ? is_float_tensor(*input) : is_float_weight(*input)))
      return input;
  return nullptr;
}

bool QuantizedOps::is_dequantized(const Node& node) const {
  return is_dequantize(node) ||
         (node.kind() == NodeKind::call_module && becomes_dequantize_ && becomes_dequantize_(node));
}

bool QuantizedOps::is_quantized_activation(const Node& input, const Node& op) const {
  return is_dequantized(input) || (ops_.contains(&input) && is_fused_with(input, op));
}

// A relu between a quantized convolution and the quantize of its result is part of that one quantized op.
bool QuantizedOps::is_fused_with(const Node& producer, const Node& op) const {
  if (producer.num_users() != 1 || op.num_users() == 0) return false;
  for (const Node* user : op.users())
    if (!is_quantize(*user) && !(user->kind() == NodeKind::call_module && is_dequantized(*user))) return false;
  return true;
}

QuantizationSummary summarize_quantization(const Program& program) {
  QuantizationSummary summary;
  const QuantizedOps quantized(program);
  for (const Node& node : program.graph().nodes())
    if (is_op(node)) {
      auto& count = summary.ops[node.target()];
      ++(quantized.contains(node) ? count.quantized : count.in_float);
    }
  return summary;
}

}  // namespace qdq
