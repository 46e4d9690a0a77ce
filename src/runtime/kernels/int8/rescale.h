#pragma once
// Rescaling in plain loops, for files that the compiler vectorises for their instruction set. Internal linkage throughout.
#define QDQ_FMA(a, b, c) __builtin_fmaf(a, b, c)
#include "runtime/kernels/int8/int8_kernels.h"
#include "tensor/elementary.h"

#define QDQ_INT8_INLINE [[gnu::always_inline]] static inline
#define QDQ_INT8_INLINE_MEMBER [[gnu::always_inline]] inline

namespace qdq::runtime::int8 {

// Rounds |x| < 2^22 to a whole number, ties to even: no room for a fraction is left.
QDQ_INT8_INLINE float round_half_even(float x) {
  constexpr float kNoFraction = 12582912.0f;  // 1.5 * 2^23
  return (x + kNoFraction) - kNoFraction;
}

QDQ_INT8_INLINE float clamp(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

QDQ_INT8_INLINE std::uint8_t to_byte(float value, float low, float high) {
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(round_half_even(clamp(value, low, high))));
}

constexpr float kLargestWeight = 65535.0f;  // of 16 bits

QDQ_INT8_INLINE float rescaled(std::int32_t sum, const Rescale& rescale, std::int64_t column) {
  return __builtin_fmaf(static_cast<float>(sum), rescale.multiplier[column], rescale.offset[column]);
}

// The addresses of row r's taps.
QDQ_INT8_INLINE const std::uint8_t* const* row_pointers(const GemmTile& tile, std::size_t r) {
  return tile.rows + static_cast<std::int64_t>(r) * tile.row_stride;
}

QDQ_INT8_INLINE void rescale_to_bytes(std::uint8_t* out, const std::int32_t* sums, const Rescale& rescale,
                                      const std::uint8_t* residual, std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; ++c) {
    float value = rescaled(sums[c], rescale, c);
    if (residual) value = __builtin_fmaf(static_cast<float>(residual[c]), rescale.residual_multiplier, value);
    out[c] = to_byte(value, rescale.low, rescale.high);
  }
}

QDQ_INT8_INLINE void rescale_to_floats(float* out, const std::int32_t* sums, const Rescale& rescale,
                                       const std::uint8_t* residual, std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; ++c) {
    float value = rescaled(sums[c], rescale, c);
    if (residual) value = __builtin_fmaf(static_cast<float>(residual[c]), rescale.residual_multiplier, value);
    out[c] = clamp(value, rescale.low, rescale.high);
  }
}

}  // namespace qdq::runtime::int8
