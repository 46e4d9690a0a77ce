#include "runtime/kernels/int8/avx512_vnni.h"

namespace qdq::runtime::int8::avx512_vnni {
namespace {

// elementary::gelu_from: a row of the table fills two registers, in which a permutation looks up 16 elements.
void gelu(std::uint8_t* out, std::int64_t out_stride, const float* values, std::int64_t value_stride, std::int64_t rows,
          std::int64_t columns, const ActivationRescale& rescale, const GeluTable& table) {
  __m512 c[4][2];
  for (int power = 0; power < 4; ++power)
    for (int half = 0; half < 2; ++half) c[power][half] = _mm512_loadu_ps(table.c[power] + 16 * half);
  const __m512 sign = _mm512_set1_ps(-0.0f);
  const __m512 low = _mm512_set1_ps(rescale.low - rescale.zero_point);
  const __m512 high = _mm512_set1_ps(rescale.high - rescale.zero_point);
  const __m512i zero_point = _mm512_set1_epi32(static_cast<int>(rescale.zero_point));
  for (std::int64_t r = 0; r < rows; ++r, out += out_stride, values += value_stride)
    for (std::int64_t at = 0; at < columns; at += 16) {
      const __mmask16 used = cut_mask(first_lanes(columns - at), 0);
      const __m512 x = _mm512_maskz_loadu_ps(used, values + at);
      const __m512 a = _mm512_mul_ps(_mm512_min_ps(_mm512_andnot_ps(sign, x), _mm512_set1_ps(kGeluEnd)),
                                     _mm512_set1_ps(kGeluStretches));
      const __m512i i = _mm512_min_epi32(_mm512_cvttps_epi32(a), _mm512_set1_epi32(kGeluLast));
      const __m512 t = _mm512_sub_ps(a, _mm512_cvtepi32_ps(i));
      const auto coefficient = [&](int power) { return _mm512_permutex2var_ps(c[power][0], i, c[power][1]); };
      __m512 g = _mm512_fmadd_ps(coefficient(3), t, coefficient(2));
      g = _mm512_fmadd_ps(g, t, coefficient(1));
      g = _mm512_fmadd_ps(g, t, coefficient(0));
      g = _mm512_or_ps(_mm512_and_ps(sign, x), _mm512_andnot_ps(sign, g));
      const __m512 result = _mm512_mul_ps(x, _mm512_add_ps(_mm512_set1_ps(0.5f), g));
      const __m512 level = _mm512_mul_ps(result, _mm512_set1_ps(rescale.inverse_scale));
      const __m512i byte =
          _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(level, low), high)), zero_point);
      _mm_mask_storeu_epi8(out + at, used, _mm512_cvtepi32_epi8(byte));
    }
}

}  // namespace
}  // namespace qdq::runtime::int8::avx512_vnni

#define QDQ_HAS_GELU
#define QDQ_ISA avx512_vnni
#define QDQ_ISA_NAME "avx512_vnni"
#include "runtime/kernels/int8/elementwise.inc.h"
