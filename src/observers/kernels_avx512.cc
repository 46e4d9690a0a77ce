#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "observers/kernels_simd.h"

#define QDQ_TARGET [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma,popcnt")]]

namespace qdq {
namespace {

struct V {
  static constexpr std::int64_t kLanes = 16;
  using Floats = __m512;
  using Ints = __m512i;
  using Flags = __mmask16;

  QDQ_TARGET static Floats set1(float v) { return _mm512_set1_ps(v); }
  QDQ_TARGET static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  QDQ_TARGET static void store(float* to, Floats v) { _mm512_storeu_ps(to, v); }
  QDQ_TARGET static void store(std::int32_t* to, Ints v) { _mm512_storeu_si512(to, v); }
  QDQ_TARGET static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  QDQ_TARGET static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  QDQ_TARGET static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  QDQ_TARGET static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  QDQ_TARGET static Floats fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
  QDQ_TARGET static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  QDQ_TARGET static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  QDQ_TARGET static float reduce_min(Floats v) { return _mm512_reduce_min_ps(v); }
  QDQ_TARGET static float reduce_max(Floats v) { return _mm512_reduce_max_ps(v); }
  QDQ_TARGET static Floats abs(Floats v) { return _mm512_abs_ps(v); }
  // -1 - n in the lanes where v has its sign bit set, n elsewhere.
  QDQ_TARGET static Ints flip_if_negative(Ints n, Floats v) {
    return _mm512_xor_si512(n, _mm512_srai_epi32(_mm512_castps_si512(v), 31));
  }
  QDQ_TARGET static Floats floor(Floats v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  QDQ_TARGET static Ints truncate(Floats v) { return _mm512_cvttps_epi32(v); }
  // a + b in the lanes where x < y (x <= y), a elsewhere.
  QDQ_TARGET static Floats add_where_less(Floats a, Floats b, Floats x, Floats y) {
    return _mm512_mask_add_ps(a, _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), a, b);
  }
  QDQ_TARGET static Floats add_where_less_equal(Floats a, Floats b, Floats x, Floats y) {
    return _mm512_mask_add_ps(a, _mm512_cmp_ps_mask(x, y, _CMP_LE_OQ), a, b);
  }
  // Stores those `numbers` whose v differs from `unwanted`, one after the other, and returns how many. Writes a whole
  // vector.
  QDQ_TARGET static std::size_t store_where_not_equal(Floats v, Floats unwanted, Ints numbers, std::int32_t* to) {
    const __mmask16 wanted = _mm512_cmp_ps_mask(v, unwanted, _CMP_NEQ_OQ);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(wanted, numbers));
    return static_cast<std::size_t>(_mm_popcnt_u32(wanted));
  }
  // The smaller number, both as unsigned ones: a negative number counts as a large one.
  QDQ_TARGET static Ints min_unsigned(Ints a, Ints b) { return _mm512_min_epu32(a, b); }
  QDQ_TARGET static Ints set1(std::int32_t v) { return _mm512_set1_epi32(v); }
  // `flags`, and those of the lanes where v is NaN or outside [low, high].
  QDQ_TARGET static Flags outside(Floats v, Floats low, Floats high, Flags flags) {
    return static_cast<Flags>(flags | _mm512_cmp_ps_mask(v, low, _CMP_NGE_UQ) |
                              _mm512_cmp_ps_mask(v, high, _CMP_NLE_UQ));
  }
  QDQ_TARGET static Flags no_flags() { return 0; }
  QDQ_TARGET static Flags unordered(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
  QDQ_TARGET static Flags either(Flags a, Flags b) { return static_cast<Flags>(a | b); }
  QDQ_TARGET static bool any(Flags flags) { return flags != 0; }
};

#include "observers/kernels_body.inc"
#include "observers/kernels_error_body.inc"
#include "observers/kernels_fake_quantize_body.inc"
#include "observers/kernels_grid_body.inc"

}  // namespace

const ObserverKernels kAvx512Kernels = {"avx512",         min_max,       count_into_bins,
                                        level_errors,     count_on_grid, rounding_error,
                                        integrated_error, fake_quantize, multiply_by_mask};

}  // namespace qdq
#endif
