#include "formats/onnx/write/bias.h"

#include "tensor/quant_math.h"

namespace qdq::onnx {
namespace {

constexpr std::string_view kDequantize = "quantized_decomposed.dequantize_per_tensor.default";
constexpr std::string_view kDequantizePerChannel = "quantized_decomposed.dequantize_per_channel.default";

// The scale of a dequantize: one, or one for each index of dimension 0. Undefined for everything else.
Tensor scales_of(const Op& op, std::string_view argument) {
  const Node* node = op.argument(argument).node();
  if (node && node->is(kDequantize)) return Tensor::full(DType::float64, {1}, node->arg(1).to_double());
  const bool is_by_row = node && node->is(kDequantizePerChannel) && node->arg(3).to_int() == 0;
  const Node* scales = is_by_row ? node->arg(1).node() : nullptr;
  if (!scales || scales->kind() != NodeKind::get_attr) return {};
  return op.emitter().program().tensor_of(*scales).to(DType::float64).contiguous();
}

Tensor rounded(const Tensor& bias, const Tensor& x_scale, const Tensor& w_scales) {
  Tensor result = bias.to(DType::float64).contiguous().clone();
  auto* values = result.data<double>();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const double unit = x_scale.data<double>()[0] * w_scales.data<double>()[w_scales.numel() == 1 ? 0 : i];
    if (unit > 0) values[i] = round_half_even(values[i] / unit) * unit;
  }
  return result.to(bias.dtype());
}

}  // namespace

Name bias(const Op& op) {
  const Tensor* stored = op.emitter().options().round_biases ? op.attribute("bias") : nullptr;
  if (!stored) return op.in("bias");
  const Tensor x_scale = scales_of(op, "input"), w_scales = scales_of(op, "weight");
  const bool fits = x_scale.defined() && x_scale.numel() == 1 && w_scales.defined() &&
                    (w_scales.numel() == 1 || w_scales.numel() == stored->numel());
  if (!fits) return op.in("bias");
  return op.emitter().initializer(op.argument("bias").node()->target() + "_rounded", stored->dtype(), stored->sizes(),
                                  [value = *stored, x_scale, w_scales] { return rounded(value, x_scale, w_scales); });
}

}  // namespace qdq::onnx
