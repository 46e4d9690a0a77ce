#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "observers/kernels_simd.h"

#define QDQ_TARGET [[gnu::target("avx2,fma,popcnt")]]

namespace qdq {
namespace {

// Row `m`: the lanes whose bits are set in m, in order, then whatever.
constexpr std::array<std::array<std::int32_t, 8>, 256> make_compress_order() {
  std::array<std::array<std::int32_t, 8>, 256> rows{};
  for (std::size_t mask = 0; mask < 256; ++mask) {
    std::size_t next = 0;
    for (std::int32_t lane = 0; lane < 8; ++lane)
      if ((mask >> lane) & 1u) rows[mask][next++] = lane;
  }
  return rows;
}
alignas(32) constexpr auto kCompressOrder = make_compress_order();

struct V {
  static constexpr std::int64_t kLanes = 8;
  using Floats = __m256;
  using Ints = __m256i;
  using Flags = __m256;

  QDQ_TARGET static Floats set1(float v) { return _mm256_set1_ps(v); }
  QDQ_TARGET static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  QDQ_TARGET static void store(float* to, Floats v) { _mm256_storeu_ps(to, v); }
  QDQ_TARGET static void store(std::int32_t* to, Ints v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
  QDQ_TARGET static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  QDQ_TARGET static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  QDQ_TARGET static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  QDQ_TARGET static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  QDQ_TARGET static Floats fnma(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }
  QDQ_TARGET static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  QDQ_TARGET static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  QDQ_TARGET static float reduce_min(Floats v) {
    alignas(32) float lanes[kLanes];
    _mm256_store_ps(lanes, v);
    return *std::min_element(lanes, lanes + kLanes);
  }
  QDQ_TARGET static float reduce_max(Floats v) {
    alignas(32) float lanes[kLanes];
    _mm256_store_ps(lanes, v);
    return *std::max_element(lanes, lanes + kLanes);
  }
  QDQ_TARGET static Floats abs(Floats v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
  // -1 - n in the lanes where v has its sign bit set, n elsewhere.
  QDQ_TARGET static Ints flip_if_negative(Ints n, Floats v) {
    return _mm256_xor_si256(n, _mm256_srai_epi32(_mm256_castps_si256(v), 31));
  }
  QDQ_TARGET static Floats floor(Floats v) { return _mm256_floor_ps(v); }
  QDQ_TARGET static Ints truncate(Floats v) { return _mm256_cvttps_epi32(v); }
  // a + b in the lanes where x < y (x <= y), a elsewhere.
  QDQ_TARGET static Floats add_where_less(Floats a, Floats b, Floats x, Floats y) {
    return _mm256_add_ps(a, _mm256_and_ps(b, _mm256_cmp_ps(x, y, _CMP_LT_OQ)));
  }
  QDQ_TARGET static Floats add_where_less_equal(Floats a, Floats b, Floats x, Floats y) {
    return _mm256_add_ps(a, _mm256_and_ps(b, _mm256_cmp_ps(x, y, _CMP_LE_OQ)));
  }
  // Stores those `numbers` whose v differs from `unwanted`, one after the other, and returns how many. Writes a whole
  // vector.
  QDQ_TARGET static std::size_t store_where_not_equal(Floats v, Floats unwanted, Ints numbers, std::int32_t* to) {
    const auto wanted = static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(v, unwanted, _CMP_NEQ_OQ)));
    const auto* order = reinterpret_cast<const __m256i*>(kCompressOrder[wanted].data());
    store(to, _mm256_permutevar8x32_epi32(numbers, _mm256_load_si256(order)));
    return static_cast<std::size_t>(_mm_popcnt_u32(wanted));
  }
  // The smaller number, both as unsigned ones: a negative number counts as a large one.
  QDQ_TARGET static Ints min_unsigned(Ints a, Ints b) { return _mm256_min_epu32(a, b); }
  QDQ_TARGET static Ints set1(std::int32_t v) { return _mm256_set1_epi32(v); }
  // `flags`, and those of the lanes where v is NaN or outside [low, high].
  QDQ_TARGET static Flags outside(Floats v, Floats low, Floats high, Flags flags) {
    return _mm256_or_ps(flags, _mm256_or_ps(_mm256_cmp_ps(v, low, _CMP_NGE_UQ), _mm256_cmp_ps(v, high, _CMP_NLE_UQ)));
  }
  QDQ_TARGET static Flags no_flags() { return _mm256_setzero_ps(); }
  QDQ_TARGET static Flags unordered(Floats a, Floats b) { return _mm256_cmp_ps(a, b, _CMP_UNORD_Q); }
  QDQ_TARGET static Flags either(Flags a, Flags b) { return _mm256_or_ps(a, b); }
  QDQ_TARGET static bool any(Flags flags) { return _mm256_movemask_ps(flags) != 0; }
};

#include "observers/kernels_body.inc"
#include "observers/kernels_error_body.inc"
#include "observers/kernels_fake_quantize_body.inc"
#include "observers/kernels_grid_body.inc"

}  // namespace

const ObserverKernels kAvx2Kernels = {"avx2",         min_max,          count_into_bins, level_errors,    count_on_grid,
                                      rounding_error, integrated_error, fake_quantize,   multiply_by_mask};

}  // namespace qdq
#endif
