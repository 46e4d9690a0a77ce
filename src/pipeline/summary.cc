#include "passes/qdq_ops.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

bool is_bookkeeping(const Node& node) {
  return node.kind() != NodeKind::call_function || is_quantize(node) || is_dequantize(node) || is_choose_qparams(node) ||
         is_size_query(node) || node.is("operator.getitem") || node.is(kConvertElementType) ||
         node.target().starts_with("_operator.") || node.target().starts_with("aten._assert");
}

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

QuantizationSummary summarize_quantization(const Program& program) {
  QuantizationSummary summary;
  for (Node& node : program.graph().nodes()) {
    if (is_bookkeeping(node)) continue;
    bool reads_float = false;
    bool reads_quantized = false;
    for (const Node* input : node.inputs()) {
      const bool activation = input->kind() != NodeKind::get_attr;
      if (activation && is_dequantize(*input)) reads_quantized = true;
      else if ((activation && is_float_tensor(*input)) || is_float_weight(*input)) reads_float = true;
    }
    auto& count = summary.ops[node.target()];
    ++(reads_quantized && !reads_float ? count.quantized : count.in_float);
  }
  return summary;
}

}  // namespace qdq
