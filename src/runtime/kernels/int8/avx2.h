#pragma once
// What the AVX2 files share. Internal linkage throughout: no code of this set may be picked for another.
#include <immintrin.h>

#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::avx2 {

extern const GemmKernel kGemm[1];
extern const DepthwiseKernel kDepthwise;

QDQ_INT8_INLINE int load_int(const void* from) {
  int value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

QDQ_INT8_INLINE __m256i widen(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

// start + the 16 sums whose two halves lie side by side in 4 registers.
QDQ_INT8_INLINE void store_sums(std::int32_t* totals, const std::int32_t* start, const __m256i (&halves)[4]) {
  for (int v = 0; v < 2; ++v) {
    const __m256i mixed = _mm256_hadd_epi32(halves[2 * v], halves[2 * v + 1]);  // columns 0 1 4 5 | 2 3 6 7
    const __m256i sums = _mm256_permute4x64_epi64(mixed, 0b11011000);
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start + 8 * v));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(totals + 8 * v), _mm256_add_epi32(sums, first));
  }
}

}  // namespace qdq::runtime::int8::avx2
