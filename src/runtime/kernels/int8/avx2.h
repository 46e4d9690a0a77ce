#pragma once
// What the AVX2 files share. Internal linkage throughout: no code of this set may be picked for another.
#include <immintrin.h>

#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::avx2 {

extern const GemmKernel kGemm[1];
extern const DepthwiseKernel kDepthwise;

QDQ_INT8_INLINE __m256i widen(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

// 16 columns of a row.
struct Sums {
  __m256i at[2];
};

// start + the 16 sums whose two halves lie side by side in 4 registers.
QDQ_INT8_INLINE Sums sums_of(const std::int32_t* start, const __m256i (&halves)[4]) {
  Sums sums;
  for (int v = 0; v < 2; ++v) {
    const __m256i mixed = _mm256_hadd_epi32(halves[2 * v], halves[2 * v + 1]);  // columns 0 1 4 5 | 2 3 6 7
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start + 8 * v));
    sums.at[v] = _mm256_add_epi32(_mm256_permute4x64_epi64(mixed, 0b11011000), first);
  }
  return sums;
}

// 16 integers from 0 to 255.
QDQ_INT8_INLINE __m128i as_bytes(__m256i first, __m256i second) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0b11011000);
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

// 16 floats from 0 to 255, rounded to the nearest byte, ties to even.
QDQ_INT8_INLINE __m128i rounded_bytes(__m256 first, __m256 second) {
  return as_bytes(_mm256_cvtps_epi32(first), _mm256_cvtps_epi32(second));
}

QDQ_INT8_INLINE __m256 load_bytes_as_floats(const std::uint8_t* from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

// Rescale: 16 results to `out`, `residual` is null or readable for 16 bytes.
QDQ_INT8_INLINE void store_sixteen(void* out, bool to_float, const Sums& sums, const Rescale& rescale,
                                   const std::uint8_t* residual) {
  // The order of the operands keeps NaN, which a scale that is chosen at run time may be.
  const __m256 low = _mm256_set1_ps(rescale.low), high = _mm256_set1_ps(rescale.high);
  __m256 values[2];
  for (int v = 0; v < 2; ++v) {
    values[v] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums.at[v]), _mm256_loadu_ps(rescale.multiplier + 8 * v),
                                _mm256_loadu_ps(rescale.offset + 8 * v));
    if (residual)
      values[v] = _mm256_fmadd_ps(load_bytes_as_floats(residual + 8 * v), _mm256_set1_ps(rescale.residual_multiplier),
                                  values[v]);
    values[v] = _mm256_min_ps(high, _mm256_max_ps(low, values[v]));
    if (to_float) _mm256_storeu_ps(static_cast<float*>(out) + 8 * v, values[v]);
  }
  if (!to_float) _mm_storeu_si128(static_cast<__m128i*>(out), rounded_bytes(values[0], values[1]));
}

// The same for the first `used` columns.
QDQ_INT8_INLINE void store_row(void* out, bool to_float, const Sums& sums, const Rescale& rescale,
                               const std::uint8_t* residual, std::int64_t used) {
  if (used == 16) return store_sixteen(out, to_float, sums, rescale, residual);
  std::uint8_t summands[16] = {};
  if (residual)
    for (std::int64_t c = 0; c < used; ++c) summands[c] = residual[c];
  float results[16];
  store_sixteen(results, to_float, sums, rescale, residual ? summands : nullptr);
  __builtin_memcpy(out, results, static_cast<std::size_t>(used) * (to_float ? sizeof(float) : 1));
}

}  // namespace qdq::runtime::int8::avx2
