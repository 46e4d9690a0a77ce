// aten's fake_quantize ops: onto the levels of an integer dtype and back, in one step.
#include <cmath>

#include "reference/eval.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

struct Levels {
  float inverse;  // 1 / scale in float32
  float scale;
  float zero_point;
  bool before_rounding;  // a zero point that is no integer is added before the value is rounded
  float low;
  float high;
};

// Values that no int64 holds go to the lower bound in the per-channel op, NaNs in both.
float fake_quantized(float value, const Levels& levels, bool wraps) {
  const float scaled = value * levels.inverse;
  const float level = levels.before_rounding ? round_half_even(scaled + levels.zero_point)
                                             : round_half_even(scaled) + levels.zero_point;
  const bool lost = std::isnan(level) || (wraps && !(level >= -0x1p63f && level < 0x1p63f));
  const float clamped = lost ? levels.low : std::fmin(std::fmax(level, levels.low), levels.high);
  const double difference = static_cast<double>(clamped) - static_cast<double>(levels.zero_point);
  return static_cast<float>(difference * static_cast<double>(levels.scale));
}

Levels levels_of(const Call& call, float scale, float zero_point, bool before_rounding) {
  return {1.0f / scale,
          scale,
          zero_point,
          before_rounding,
          static_cast<float>(call.integer("quant_min")),
          static_cast<float>(call.integer("quant_max"))};
}

const Tensor& checked_input(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (!is_floating_point(self.dtype()) || self.dtype() == DType::float64)
    call.fail("a float32, float16 or bfloat16 tensor expected, found " + std::string(name(self.dtype())));
  if (call.integer("quant_min") > call.integer("quant_max")) call.fail("quant_min is greater than quant_max");
  return self;
}

float one_number(const Call& call, const char* argument) {
  const Tensor* tensor = call.arg(argument).tensor();
  if (!tensor) return static_cast<float>(call.number(argument));
  if (tensor->numel() != 1) call.fail("argument '" + std::string(argument) + "' must have one element");
  return static_cast<float>(tensor->item());
}

std::vector<Value> eval_per_tensor(const Call& call) {
  const Tensor& self = checked_input(call);
  const Levels levels = levels_of(call, one_number(call, "scale"), one_number(call, "zero_point"), false);
  return {
      map<float>(self.to(DType::float32), [&](float x) { return fake_quantized(x, levels, false); }).to(self.dtype())};
}

std::vector<Value> eval_per_channel(const Call& call) {
  const Tensor& self = checked_input(call);
  const std::int64_t axis = call.dim("axis", self.dim());
  const Tensor scales = contiguous_as<float>(call.tensor("scale"));
  const Tensor zero_points = contiguous_as<float>(call.tensor("zero_point"));
  if (self.dim() == 0 || scales.numel() != self.size(axis) || zero_points.numel() != self.size(axis))
    call.fail("a scale and a zero point for each index of the axis expected");
  const bool before_rounding = is_floating_point(call.tensor("zero_point").dtype());
  const Tensor out = self.to(DType::float32).clone();
  const std::int64_t inner = numel(std::span(self.sizes()).subspan(static_cast<std::size_t>(axis) + 1));
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const std::int64_t channel = i / inner % self.size(axis);
    const Levels levels =
        levels_of(call, scales.data<float>()[channel], zero_points.data<float>()[channel], before_rounding);
    float& x = out.data<float>()[i];
    x = fake_quantized(x, levels, true);
  }
  return {out.to(self.dtype())};
}

constexpr KernelRow kRows[] = {
    {"aten.fake_quantize_per_tensor_affine.default", eval_per_tensor},
    {"aten.fake_quantize_per_tensor_affine.tensor_qparams", eval_per_tensor},
    {"aten.fake_quantize_per_channel_affine.default", eval_per_channel},
};

}  // namespace

KernelFamily fake_quantize_kernels() { return kRows; }

}  // namespace qdq
