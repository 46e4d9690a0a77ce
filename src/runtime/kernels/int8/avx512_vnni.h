#pragma once
// What the AVX-512 VNNI files share. Internal linkage throughout: no code of this set may be picked for another.
#include <immintrin.h>

#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::avx512_vnni {

extern const GemmKernel kGemm[4];
extern const DepthwiseKernel kDepthwise;

// sums + the dot products of 4 unsigned and 4 signed bytes, per 32-bit lane, without saturation. Not the intrinsic: GCC 12 surrounds
// it with moves and spills half of the sums (200 instead of 470 GOPS).
template <typename Ints>
QDQ_INT8_INLINE Ints multiply_add(Ints sums, Ints bytes, Ints weights) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(bytes), "v"(weights));
  return sums;
}

QDQ_INT8_INLINE int load_int(const void* from) {
  int value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

QDQ_INT8_INLINE __mmask64 first_lanes(std::int64_t n) { return n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1; }
QDQ_INT8_INLINE __mmask16 cut_mask(__mmask64 mask, int lane) { return static_cast<__mmask16>(mask >> lane); }

QDQ_INT8_INLINE __m512 load_bytes_as_floats(const std::uint8_t* from, __mmask16 mask) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, from)));
}

// 4 x 16 integers saturated to bytes, each group of 4 lanes from the four in turn.
QDQ_INT8_INLINE __m512i pack_levels(__m512i a, __m512i b, __m512i c, __m512i d) {
  return _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
}

// The same in their order.
QDQ_INT8_INLINE __m512i in_order(__m512i packed) {
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed);
}

// Clamping rounded and saturated bytes is clamping before rounding: the bounds are whole.
QDQ_INT8_INLINE __m512i clamp_bytes(__m512i bytes, const Rescale& rescale) {
  if (rescale.low == 0.0f && rescale.high == 255.0f) return bytes;  // they are saturated already
  const __m512i low = _mm512_set1_epi8(static_cast<char>(static_cast<int>(rescale.low)));
  const __m512i high = _mm512_set1_epi8(static_cast<char>(static_cast<int>(rescale.high)));
  return _mm512_min_epu8(_mm512_max_epu8(bytes, low), high);
}

}  // namespace qdq::runtime::int8::avx512_vnni
