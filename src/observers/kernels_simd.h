#pragma once
// What kernels_body.inc uses beside the vectors themselves.
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "observers/kernels_isa.h"

namespace qdq {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr Extremes kNaNExtremes = {std::numeric_limits<float>::quiet_NaN(),
                                          std::numeric_limits<float>::quiet_NaN()};
inline constexpr std::int64_t kBlock = 256;      // values whose bins are kept
inline constexpr std::int64_t kPiece = 8192;     // values between two looks for one outside the bins
inline constexpr std::int64_t kFewValues = 512;  // below this, clearing a second table costs more than it brings
alignas(64) inline constexpr float kLaneNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// A look at 64 values spread over all of them: is a quarter equal to `value`?
inline bool mostly_equal_to(float value, const float* values, std::int64_t count) {
  int equal = 0;
  for (std::int64_t k = 0; k < 64; ++k) equal += values[count / 64 * k] == value;
  return equal >= 16;
}

}  // namespace qdq
