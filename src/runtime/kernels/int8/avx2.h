#pragma once
// What the AVX2 files share. Internal linkage throughout: no code of this set may be picked for another.
#include <immintrin.h>

#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::avx2 {

extern const GemmKernel kGemm[3];
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

// 16 integers, saturated to bytes. Each step keeps to its halves but one, which brings them together in the order 0 2 1 3.
QDQ_INT8_INLINE __m128i as_bytes(__m256i first, __m256i second) {
  const __m256i words = _mm256_packs_epi32(first, second);
  const __m128i quarters = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  return _mm_shuffle_epi32(quarters, 0b11011000);
}

// 16 floats, rounded to the nearest byte, ties to even.
QDQ_INT8_INLINE __m128i rounded_bytes(__m256 first, __m256 second) {
  return as_bytes(_mm256_cvtps_epi32(first), _mm256_cvtps_epi32(second));
}

QDQ_INT8_INLINE __m256 load_bytes_as_floats(const std::uint8_t* from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

// Rescale for 16 columns, read once: stores to bytes might change what pointers lead to, as far as the compiler knows.
class Ending {
 public:
  QDQ_INT8_INLINE_MEMBER Ending(const Rescale& rescale, std::int64_t column, bool to_float) : to_float_(to_float) {
    for (int v = 0; v < 2; ++v) {
      multiplier_[v] = _mm256_loadu_ps(rescale.multiplier + column + 8 * v);
      offset_[v] = _mm256_loadu_ps(rescale.offset + column + 8 * v);
    }
    low_ = _mm256_set1_ps(rescale.low);
    high_ = _mm256_set1_ps(rescale.high);
    lowest_ = as_bytes(_mm256_cvtps_epi32(low_), _mm256_cvtps_epi32(low_));
    highest_ = as_bytes(_mm256_cvtps_epi32(high_), _mm256_cvtps_epi32(high_));
    residual_multiplier_ = _mm256_set1_ps(rescale.residual_multiplier);
  }

  // The first `used` of 16 results to `out`; `residual` is null or has as many.
  QDQ_INT8_INLINE_MEMBER void store(void* out, const Sums& sums, const std::uint8_t* residual,
                                    std::int64_t used) const {
    if (used == 16) return store_sixteen(out, sums, residual);
    std::uint8_t summands[16] = {};
    if (residual)
      for (std::int64_t c = 0; c < used; ++c) summands[c] = residual[c];
    float results[16];
    store_sixteen(results, sums, residual ? summands : nullptr);
    if (used == 8 && !to_float_)
      __builtin_memcpy(out, results, 8);
    else
      __builtin_memcpy(out, results, static_cast<std::size_t>(used) * (to_float_ ? sizeof(float) : 1));
  }

 private:
  QDQ_INT8_INLINE_MEMBER void store_sixteen(void* out, const Sums& sums, const std::uint8_t* residual) const {
    __m256 values[2];
    for (int v = 0; v < 2; ++v) {
      values[v] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums.at[v]), multiplier_[v], offset_[v]);
      if (residual)
        values[v] = _mm256_fmadd_ps(load_bytes_as_floats(residual + 8 * v), residual_multiplier_, values[v]);
    }
    if (to_float_) {  // the order of the operands keeps NaN, which a scale that is chosen at run time may be
      for (int v = 0; v < 2; ++v)
        _mm256_storeu_ps(static_cast<float*>(out) + 8 * v, _mm256_min_ps(high_, _mm256_max_ps(low_, values[v])));
      return;
    }
    // Clamping rounded and saturated bytes is clamping before rounding: the bounds are whole.
    const __m128i bytes = rounded_bytes(values[0], values[1]);
    _mm_storeu_si128(static_cast<__m128i*>(out), _mm_min_epu8(_mm_max_epu8(bytes, lowest_), highest_));
  }

  bool to_float_;
  __m256 multiplier_[2], offset_[2];
  __m256 low_, high_;
  __m128i lowest_, highest_;  // the same in bytes
  __m256 residual_multiplier_;
};

}  // namespace qdq::runtime::int8::avx2
