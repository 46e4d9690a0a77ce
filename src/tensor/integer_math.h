#pragma once
// The arithmetic of the integer engine, by formula (docs/numerics.md, "The integer engine"): what its reference and its kernels share.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "qdq/dtype.h"
#include "tensor/quant_math.h"

namespace qdq::integer {

// How bytes stand for real numbers: value = scale * (byte - zero_point), bytes from low to high. Values of int8 take part as unsigned
// bytes that are 128 larger, and so does their zero point.
struct Grid {
  double scale = 1.0;
  std::int32_t zero_point = 0;
  std::int32_t low = 0;
  std::int32_t high = 255;

  bool operator==(const Grid&) const = default;
};

constexpr std::int32_t byte_shift(DType dtype) { return dtype == DType::int8 ? 128 : 0; }

constexpr Grid grid_of(double scale, std::int64_t zero_point, std::int64_t quant_min, std::int64_t quant_max,
                       DType dtype) {
  const std::int32_t shift = byte_shift(dtype);
  return {scale, static_cast<std::int32_t>(zero_point) + shift, static_cast<std::int32_t>(quant_min) + shift,
          static_cast<std::int32_t>(quant_max) + shift};
}

// An activation that clamps (relu, relu6, hardtanh): real bounds.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// Factors and summands are computed in double and rounded to float32 once.
inline float product_multiplier(double input_scale, double weight_scale, const Grid& out) {
  return static_cast<float>(input_scale * weight_scale / out.scale);
}
inline float summand_multiplier(const Grid& summand, const Grid& out) {
  return static_cast<float>(summand.scale / out.scale);
}
inline float bias_offset(double bias, const Grid& out) { return static_cast<float>(bias / out.scale + out.zero_point); }
// ... when a residual is added as well.
inline float bias_offset(double bias, const Grid& residual, const Grid& out) {
  return static_cast<float>(bias / out.scale + out.zero_point - residual.zero_point * residual.scale / out.scale);
}
inline float addition_offset(const Grid& a, const Grid& b, const Grid& out) {
  return static_cast<float>(out.zero_point - a.zero_point * a.scale / out.scale - b.zero_point * b.scale / out.scale);
}
inline float average_multiplier(const Grid& input, std::int64_t count, const Grid& out) {
  return static_cast<float>(input.scale / (static_cast<double>(count) * out.scale));
}

// The byte of a real bound, as quantize makes it.
inline float bound_level(double bound, const Grid& grid) {
  return quantize_to_float(static_cast<float>(bound), inverse_scale(grid.scale), static_cast<float>(grid.zero_point),
                           static_cast<float>(grid.low), static_cast<float>(grid.high));
}
inline float low_level(const Bounds& bounds, const Grid& grid) { return bound_level(bounds.low, grid); }
inline float high_level(const Bounds& bounds, const Grid& grid) { return bound_level(bounds.high, grid); }

inline float rescale(std::int32_t sum, float multiplier, float offset) {
  return std::fma(static_cast<float>(sum), multiplier, offset);
}

// The byte of an activation's float result, as quantize makes it.
inline std::uint8_t activated_byte(float value, const Grid& grid) {
  return static_cast<std::uint8_t>(bound_level(static_cast<double>(value), grid));
}

// low and high are whole numbers.
inline std::uint8_t to_byte(float value, float low, float high) {
  return static_cast<std::uint8_t>(round_half_even(std::clamp(value, low, high)));
}

// Sums of at most this many products of a byte's distance from its zero point and a weight fit int32.
constexpr std::int64_t kMaxDepth = std::numeric_limits<std::int32_t>::max() / (255 * 128);

}  // namespace qdq::integer
