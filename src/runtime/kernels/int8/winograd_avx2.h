#pragma once
// Winograd's transforms along one dimension, of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), with every row
// of their matrices multiplied until it is whole. What that multiplies a result with goes in the end: 2^shift, and an odd number, whose
// inverse modulo 2^32 divides exactly. Words stay within int16, sums may wrap around.
#include <cstddef>
#include <cstdint>

#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::avx2 {

using Words = std::int16_t __attribute__((vector_size(32)));
using Integers = std::uint32_t __attribute__((vector_size(32)));

// F(2, 3) at the points 0, 1, -1 and infinity.
struct TwoResults {
  static constexpr std::size_t kResults = 2, kSize = 4;
  static constexpr std::int64_t kFactor = 4;  // 2 in each direction
  static constexpr int kShifts[] = {1, 1};
  static constexpr std::uint32_t kInverse = 1;

  // (1 0 -1 0 | 0 1 1 0 | 0 -1 1 0 | 0 1 0 -1): in both directions within 4 * 255 of 0.
  QDQ_INT8_INLINE_MEMBER static void pixels(Words (&d)[4]) {
    const Words sum = d[1] + d[2], difference = d[2] - d[1];
    d[0] -= d[2];
    d[3] = d[1] - d[3];
    d[1] = sum;
    d[2] = difference;
  }
  // (2 0 0 | 1 1 1 | 1 -1 1 | 0 0 2), a row of it, times taps that g(0), g(1) and g(2) give: within 9 * 128.
  template <std::size_t Row, typename Taps>
  QDQ_INT8_INLINE_MEMBER static Words filter(Taps&& g) {
    if constexpr (Row == 0) return g(0) << 1;
    if constexpr (Row == 1) return g(0) + g(1) + g(2);
    if constexpr (Row == 2) return g(0) - g(1) + g(2);
    if constexpr (Row == 3) return g(2) << 1;
  }
  // (1 1 1 0 | 0 1 -1 -1)
  QDQ_INT8_INLINE_MEMBER static void sums(Integers (&y)[2], const Integers (&m)[4]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
};

// F(4, 3) at the points 0, 1, -1, 2, -2 and infinity.
struct FourResults {
  static constexpr std::size_t kResults = 4, kSize = 6;
  static constexpr std::int64_t kFactor = 64;            // the largest power of two; 24, 12, 6 and 6 in each direction
  static constexpr int kShifts[] = {3, 2, 1, 1};         // of 24, 12, 6, 6
  static constexpr std::uint32_t kInverse = 0x38E38E39;  // of the 9 that 3 in each direction leave

  // (4 0 -5 0 1 0 | 0 -4 -4 1 1 0 | 0 4 -4 -1 1 0 | 0 -2 -1 2 1 0 | 0 2 -1 -2 1 0 | 0 4 0 -5 0 1): within 68 * 255.
  QDQ_INT8_INLINE_MEMBER static void pixels(Words (&d)[6]) {
    const Words first = d[0] - d[2], last = d[5] - d[3];
    const Words even = d[4] - d[2], odd = d[3] - d[1];
    const Words far_even = d[4] - (d[2] << 2), far_odd = d[3] - (d[1] << 2);
    d[0] = (first << 2) + even;
    d[1] = far_even + far_odd;
    d[2] = far_even - far_odd;
    d[3] = even + (odd << 1);
    d[4] = even - (odd << 1);
    d[5] = last - (odd << 2);
  }
  // (1 0 0 | 1 1 1 | 1 -1 1 | 1 2 4 | 1 -2 4 | 0 0 1), which lack factors of 6, -4, -4, 1, 1 and 24: within 49 * 128.
  template <std::size_t Row, typename Taps>
  QDQ_INT8_INLINE_MEMBER static Words filter(Taps&& g) {
    if constexpr (Row == 0) return g(0);
    if constexpr (Row == 1) return g(0) + g(1) + g(2);
    if constexpr (Row == 2) return g(0) - g(1) + g(2);
    if constexpr (Row == 3) return g(0) + (g(1) << 1) + (g(2) << 2);
    if constexpr (Row == 4) return g(0) - (g(1) << 1) + (g(2) << 2);
    if constexpr (Row == 5) return g(2);
  }
  // (1 1 1 1 1 0 | 0 1 -1 2 -2 0 | 0 1 1 4 4 0 | 0 1 -1 8 -8 1) with these factors, divided by 1, 2, 4 and 4.
  QDQ_INT8_INLINE_MEMBER static void sums(Integers (&y)[4], const Integers (&m)[6]) {
    const Integers near = m[1] + m[2], near_difference = m[1] - m[2];
    const Integers far = m[3] + m[4], far_difference = m[3] - m[4];
    const Integers first = m[0] + (m[0] << 1), last = m[5] + (m[5] << 1);
    y[0] = ((first - (near << 1)) << 1) + far;
    y[1] = far_difference - (near_difference << 1);
    y[2] = far - near;
    y[3] = ((far_difference + last) << 1) - near_difference;
  }
};

}  // namespace qdq::runtime::int8::avx2
