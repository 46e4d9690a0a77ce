#include "accuracy/activation_range.h"

#include "tensor/quant_math.h"

namespace qdq {

bool is_static_activation(const Observer& observer) {
  return !observer.is_dynamic() && !observer.affine() && !is_floating_point(observer.dtype()) &&
         !is_per_channel(observer.qscheme()) && observer.has_observed() && observer.kind() != "PlaceholderObserver";
}

ActivationRange ActivationRange::of(const Observer& observer) {
  const QParams qparams = observer.calculate_qparams();
  return {static_cast<float>(qparams.scale.item()), static_cast<float>(qparams.zero_point.item()),
          static_cast<float>(observer.quant_min()), static_cast<float>(observer.quant_max())};
}

Tensor ActivationRange::quantized(const Tensor& value, std::int64_t* outside) const {
  Tensor result = value.to(DType::float32).clone();
  const float inverse = inverse_scale(scale);
  std::int64_t clipped = 0;
  float* at = result.data<float>();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const float level = round_half_even(at[i] * inverse) + zero_point;
    clipped += level < quant_min || level > quant_max ? 1 : 0;
    at[i] = dequantize(clamp_keeping_nan(level, quant_min, quant_max), scale, zero_point);
  }
  if (outside) *outside += clipped;
  return result;
}

}  // namespace qdq
