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

// elementary::exp_approx, scaled by 2^n in one instruction that rounds as its two multiplications do.
QDQ_INT8_INLINE __m512 exp_approx(__m512 x) {
  const __m512 magic = _mm512_set1_ps(elementary::kRoundMagic);
  x = _mm512_min_ps(_mm512_set1_ps(89.0f), x);  // in this order NaN stays NaN
  x = _mm512_max_ps(_mm512_set1_ps(-104.0f), x);
  const __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(1.44269504f), magic), magic);
  __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0.693145751953125f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(-1.42860677e-06f), r);
  __m512 p = _mm512_set1_ps(1.383673796e-03f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.374898340e-03f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.166823187e-02f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.666641919e-01f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.999999203e-01f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.000000037e+00f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

// Calls fn(position, mask of the lanes) for vectors of 16 elements.
template <typename Fn>
QDQ_INT8_INLINE void for_each_vector(std::int64_t n, Fn fn) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) fn(i, static_cast<__mmask16>(0xffff));
  if (i < n) fn(i, cut_mask(first_lanes(n - i), 0));
}

void softmax(std::uint8_t* out, float* scores, const float* mask, std::int64_t n, const ProbabilityRescale& rescale) {
  __m512 largest = _mm512_set1_ps(-__builtin_inff());
  for_each_vector(n, [&](std::int64_t i, __mmask16 used) {
    __m512 score = _mm512_maskz_loadu_ps(used, scores + i);
    if (mask) {
      score = _mm512_add_ps(score, _mm512_maskz_loadu_ps(used, mask + i));
      _mm512_mask_storeu_ps(scores + i, used, score);
    }
    largest = _mm512_mask_max_ps(largest, used, score, largest);
  });
  const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
  __m512 sums = _mm512_setzero_ps();
  for_each_vector(n, [&](std::int64_t i, __mmask16 used) {
    const __m512 e = exp_approx(_mm512_sub_ps(_mm512_maskz_loadu_ps(used, scores + i), top));
    _mm512_mask_storeu_ps(scores + i, used, e);
    sums = _mm512_mask_add_ps(sums, used, sums, e);
  });
  float lanes[16];
  _mm512_storeu_ps(lanes, sums);
  for (int apart = 8; apart > 0; apart /= 2)
    for (int l = 0; l < apart; ++l) lanes[l] += lanes[l + apart];
  const __m512 factor = _mm512_set1_ps(rescale.inverse_scale / lanes[0]);
  const __m512 low = _mm512_set1_ps(rescale.low - rescale.zero_point);
  const __m512 high = _mm512_set1_ps(rescale.high - rescale.zero_point);
  const __m512i zero_point = _mm512_set1_epi32(static_cast<int>(rescale.zero_point));
  for_each_vector(n, [&](std::int64_t i, __mmask16 used) {
    __m512 level = _mm512_mul_ps(_mm512_maskz_loadu_ps(used, scores + i), factor);
    level = _mm512_min_ps(_mm512_max_ps(level, low), high);  // in this order NaN becomes low
    const __m512i bytes = _mm512_add_epi32(_mm512_cvtps_epi32(level), zero_point);
    _mm_mask_storeu_epi8(out + i, used, _mm512_cvtepi32_epi8(bytes));
  });
}

// Two permutations look up in half of the table each.
[[gnu::target("avx512vbmi")]] void look_up_by_permuting(std::uint8_t* out, const std::uint8_t* a, std::int64_t n,
                                                        const std::uint8_t* table) {
  __m512i quarters[4];
  for (int q = 0; q < 4; ++q) quarters[q] = _mm512_loadu_si512(table + 64 * q);
  for (std::int64_t i = 0; i < n; i += 64) {
    const __mmask64 used = first_lanes(n - i);
    const __m512i bytes = _mm512_maskz_loadu_epi8(used, a + i);
    const __m512i low = _mm512_permutex2var_epi8(quarters[0], bytes, quarters[1]);
    const __m512i high = _mm512_permutex2var_epi8(quarters[2], bytes, quarters[3]);
    _mm512_mask_storeu_epi8(out + i, used, _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(bytes), high));
  }
}

void look_up(std::uint8_t* out, const std::uint8_t* a, std::int64_t n, const std::uint8_t* table) {
  if (__builtin_cpu_supports("avx512vbmi")) return look_up_by_permuting(out, a, n, table);
  for (std::int64_t i = 0; i < n; ++i) out[i] = table[a[i]];
}

}  // namespace
}  // namespace qdq::runtime::int8::avx512_vnni

#define QDQ_HAS_OWN_FUNCTIONS
#define QDQ_HAS_OWN_LOOK_UP
#define QDQ_ISA avx512_vnni
#define QDQ_ISA_NAME "avx512_vnni"
#include "runtime/kernels/int8/elementwise.inc.h"
