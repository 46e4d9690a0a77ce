#pragma once
// The one home of the rounding and clamping of affine quantization. Every formula is that of torch's
// quantized_decomposed ops, to the bit; T is the type that torch computes in: float, or double for double scales.
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace qdq {

// torch.round: to the nearest integer, ties to even. Assumes the default rounding mode.
template <typename T>
T round_half_even(T value) {
  return std::nearbyint(value);
}

// torch.clamp: a NaN stays a NaN.
template <typename T>
T clamp_keeping_nan(T value, T low, T high) {
  return value < low ? low : value > high ? high : value;
}

// Tensor.to(integer dtype) as x86 does it: through int32 (through int64 for wider targets), whose smallest number
// stands for NaN and for whatever does not fit; then the low bits. So NaN is 0 in int8 and the minimum in int32.
template <typename Integer, typename T>
Integer float_to_integer(T value) {
  using Wide =
      std::conditional_t<(sizeof(Integer) < 4 || std::is_same_v<Integer, std::int32_t>), std::int32_t, std::int64_t>;
  constexpr T limit = static_cast<T>(std::uint64_t{1} << (8 * sizeof(Wide) - 1));
  const bool fits = value >= -limit && value < limit;
  return static_cast<Integer>(fits ? static_cast<Wide>(value) : std::numeric_limits<Wide>::min());
}

// The factor that quantization multiplies with: for a scale that is a number the reciprocal is taken in double and then
// rounded; for a tensor of scales it is taken in the tensor's type.
inline float inverse_scale(double scale) { return static_cast<float>(1.0 / scale); }

// clamp(round(value * inverse_scale) + zero_point, quant_min, quant_max), still a float: NaN stays NaN.
template <typename T>
T quantize_to_float(T value, T inverse_scale, T zero_point, T quant_min, T quant_max) {
  return clamp_keeping_nan(round_half_even(value * inverse_scale) + zero_point, quant_min, quant_max);
}

template <typename Integer, typename T>
Integer quantize(T value, T inverse_scale, T zero_point, T quant_min, T quant_max) {
  return float_to_integer<Integer>(quantize_to_float(value, inverse_scale, zero_point, quant_min, quant_max));
}

// Scale and zero point that dynamic quantization chooses for values from low to high (NaN for a tensor with a NaN), in float32 as
// torch's determine_qparams does.
struct ChosenQParams {
  double scale;
  std::int64_t zero_point;
};
inline ChosenQParams choose_affine_qparams(float low, float high, std::int64_t quant_min, std::int64_t quant_max,
                                           float eps) {
  low = low > 0.0f ? 0.0f : low;
  high = high < 0.0f ? 0.0f : high;
  const float chosen = (high - low) / (static_cast<float>(quant_max) - static_cast<float>(quant_min));
  const float scale = chosen < eps ? eps : chosen;
  const std::int64_t zero_point = quant_min - float_to_integer<std::int32_t>(round_half_even(low / scale));
  return {static_cast<double>(scale), zero_point < quant_min   ? quant_min
                                      : zero_point > quant_max ? quant_max
                                                               : zero_point};
}
inline ChosenQParams choose_symmetric_qparams(float low, float high, std::int64_t quant_min, std::int64_t quant_max,
                                              float eps, bool is_unsigned) {
  const float largest = -low > high ? -low : high;
  const float chosen =
      (largest < 0.0f ? 0.0f : largest) / ((static_cast<float>(quant_max) - static_cast<float>(quant_min)) / 2);
  return {static_cast<double>(chosen < eps ? eps : chosen), is_unsigned ? 128 : 0};
}

// (value - zero_point) * scale, each step rounded to T.
template <typename T>
T dequantize(T value, T scale, T zero_point) {
  return (value - zero_point) * scale;
}

}  // namespace qdq
