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
      else if (activation && is_float_tensor(*input)) reads_float = true;
    }
    auto& count = summary.ops[node.target()];
    ++(reads_quantized && !reads_float ? count.quantized : count.in_float);
  }
  return summary;
}

}  // namespace qdq
