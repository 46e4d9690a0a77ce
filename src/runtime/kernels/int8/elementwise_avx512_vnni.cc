#include "runtime/kernels/int8/avx512_vnni.h"

namespace qdq::runtime::int8::avx512_vnni {
namespace {

// Float levels without their zero point as bytes, 64 at a time. Levels below the lowest one are clamped as bytes: what saturates, and
// NaN, lies below it too.
struct Levels {
  __m512 high;
  __m512i zero_point, lowest;

  Levels(float lowest_byte, float highest_byte, float zero)
      : high(_mm512_set1_ps(highest_byte - zero)),
        zero_point(_mm512_set1_epi32(static_cast<int>(zero))),
        lowest(_mm512_set1_epi8(static_cast<char>(static_cast<int>(lowest_byte)))) {}

  // `level(i)` gives the levels of the i-th 16.
  template <typename Fn>
  QDQ_INT8_INLINE_MEMBER __m512i bytes(Fn level) const {
    const auto integers = [&](int i) {
      return _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_min_ps(high, level(i))), zero_point);
    };
    return _mm512_max_epu8(in_order(pack_levels(integers(0), integers(1), integers(2), integers(3))), lowest);
  }
};

// The bytes of value(a, b) for 16 integers of each at a time.
template <typename Fn>
QDQ_INT8_INLINE void combine(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, float low,
                             float high, Fn value) {
  const Levels levels(low, high, 0.0f);
  std::int64_t at = 0;
  const auto load = [](const std::uint8_t* from) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  };
  for (; at + 64 <= n; at += 64)
    _mm512_storeu_si512(out + at,
                        levels.bytes([&](int i) { return value(load(a + at + 16 * i), load(b + at + 16 * i)); }));
  if (at == n) return;
  const __mmask64 used = first_lanes(n - at);
  const auto load_used = [&](const std::uint8_t* from, int i) {
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(cut_mask(used, 16 * i), from + at + 16 * i));
  };
  _mm512_mask_storeu_epi8(out + at, used, levels.bytes([&](int i) { return value(load_used(a, i), load_used(b, i)); }));
}

void add(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, const Addition& p) {
  const __m512 a_multiplier = _mm512_set1_ps(p.a_multiplier), b_multiplier = _mm512_set1_ps(p.b_multiplier),
               offset = _mm512_set1_ps(p.offset);
  combine(out, a, b, n, p.low, p.high, [&](__m512i x, __m512i y) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(x), a_multiplier,
                           _mm512_fmadd_ps(_mm512_cvtepi32_ps(y), b_multiplier, offset));
  });
}

// The products are whole numbers that floats hold.
void multiply(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n,
              const Multiplication& p) {
  const __m512 a_zero = _mm512_set1_ps(static_cast<float>(p.a_zero)),
               b_zero = _mm512_set1_ps(static_cast<float>(p.b_zero)), multiplier = _mm512_set1_ps(p.multiplier),
               offset = _mm512_set1_ps(p.offset);
  combine(out, a, b, n, p.low, p.high, [&](__m512i x, __m512i y) {
    const __m512 product =
        _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(x), a_zero), _mm512_sub_ps(_mm512_cvtepi32_ps(y), b_zero));
    return _mm512_fmadd_ps(product, multiplier, offset);
  });
}

// elementary::gelu_from: a row of the table fills two registers, in which a permutation looks up 16 elements.
struct Gelu {
  __m512 c[4][2];

  explicit Gelu(const GeluTable& table) {
    for (int power = 0; power < 4; ++power)
      for (int half = 0; half < 2; ++half) c[power][half] = _mm512_loadu_ps(table.c[power] + 16 * half);
  }

  QDQ_INT8_INLINE_MEMBER __m512 operator()(__m512 x) const {
    const __m512i sign = _mm512_set1_epi32(static_cast<int>(0x80000000u));
    const __m512 a =
        _mm512_mul_ps(_mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps(kGeluEnd)), _mm512_set1_ps(kGeluStretches));
    const __m512i i = _mm512_min_epi32(_mm512_cvttps_epi32(a), _mm512_set1_epi32(kGeluLast));
    const __m512 t = _mm512_sub_ps(a, _mm512_cvtepi32_ps(i));
    const auto coefficient = [&](int power) { return _mm512_permutex2var_ps(c[power][0], i, c[power][1]); };
    __m512 g = _mm512_fmadd_ps(coefficient(3), t, coefficient(2));
    g = _mm512_fmadd_ps(g, t, coefficient(1));
    g = _mm512_fmadd_ps(g, t, coefficient(0));
    constexpr int kFirstSelects = 0xca;  // bits of the second where the first is 1, else of the third
    g = _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(sign, _mm512_castps_si512(x), _mm512_castps_si512(g), kFirstSelects));
    return _mm512_mul_ps(x, _mm512_add_ps(_mm512_set1_ps(0.5f), g));
  }
};

void gelu(std::uint8_t* out, std::int64_t out_stride, const float* values, std::int64_t value_stride, std::int64_t rows,
          std::int64_t columns, const ActivationRescale& rescale, const GeluTable& table) {
  const Gelu gelu(table);
  const Levels levels(rescale.low, rescale.high, rescale.zero_point);
  const __m512 inverse_scale = _mm512_set1_ps(rescale.inverse_scale);
  for (std::int64_t r = 0; r < rows; ++r, out += out_stride, values += value_stride)
    for (std::int64_t at = 0; at < columns; at += 64) {
      const float* from = values + at;
      if (columns - at >= 64) {
        _mm512_storeu_si512(out + at, levels.bytes([&](int i) {
          return _mm512_mul_ps(gelu(_mm512_loadu_ps(from + 16 * i)), inverse_scale);
        }));
        continue;
      }
      const __mmask64 used = first_lanes(columns - at);
      _mm512_mask_storeu_epi8(out + at, used, levels.bytes([&](int i) {
        return _mm512_mul_ps(gelu(_mm512_maskz_loadu_ps(cut_mask(used, 16 * i), from + 16 * i)), inverse_scale);
      }));
    }
}

// elementary::exp_approx of x <= 0, scaled by 2^n in one instruction that rounds as its two multiplications do.
QDQ_INT8_INLINE __m512 exp_approx(__m512 x) {
  const __m512 magic = _mm512_set1_ps(elementary::kRoundMagic);
  x = _mm512_max_ps(_mm512_set1_ps(-104.0f), x);  // in this order NaN stays NaN
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

// The lanes added in the order that `softmax` promises.
QDQ_INT8_INLINE float sum_of_lanes(__m512 v) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

QDQ_INT8_INLINE float largest_of(float* scores, const float* mask, std::int64_t n) {
  __m512 largest = _mm512_set1_ps(-__builtin_inff());
  for_each_vector(n, [&](std::int64_t i, __mmask16 used) {
    __m512 score = _mm512_maskz_loadu_ps(used, scores + i);
    if (mask) {
      score = _mm512_add_ps(score, _mm512_maskz_loadu_ps(used, mask + i));
      _mm512_mask_storeu_ps(scores + i, used, score);
    }
    largest = _mm512_mask_max_ps(largest, used, score, largest);
  });
  return _mm512_reduce_max_ps(largest);
}

// Writes exp(score - top) over the scores and returns their sum.
QDQ_INT8_INLINE float exponentiate(float* scores, float top, std::int64_t n) {
  const __m512 tops = _mm512_set1_ps(top);
  __m512 sums = _mm512_setzero_ps();
  for_each_vector(n, [&](std::int64_t i, __mmask16 used) {
    const __m512 e = exp_approx(_mm512_sub_ps(_mm512_maskz_loadu_ps(used, scores + i), tops));
    _mm512_mask_storeu_ps(scores + i, used, e);
    sums = _mm512_mask_add_ps(sums, used, sums, e);
  });
  return sum_of_lanes(sums);
}

// Pass by pass over a few rows: where one waits for its largest score or its sum, the next goes on.
void softmax(std::uint8_t* out, std::int64_t out_stride, float* scores, std::int64_t score_stride,
             const float* const* masks, std::int64_t rows, std::int64_t n, const ProbabilityRescale& rescale) {
  constexpr std::int64_t kRows = 8;
  const Levels levels(rescale.low, rescale.high, rescale.zero_point);
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t end = rows - first < kRows ? rows : first + kRows;
    float tops[kRows], totals[kRows];
    for (std::int64_t r = first; r < end; ++r)
      tops[r - first] = largest_of(scores + r * score_stride, masks ? masks[r] : nullptr, n);
    for (std::int64_t r = first; r < end; ++r)
      totals[r - first] = exponentiate(scores + r * score_stride, tops[r - first], n);
    for (std::int64_t r = first; r < end; ++r) {
      const __m512 factor = _mm512_set1_ps(rescale.inverse_scale / totals[r - first]);
      for (std::int64_t at = 0; at < n; at += 64) {
        const __mmask64 used = first_lanes(n - at);
        const float* row = scores + r * score_stride + at;
        _mm512_mask_storeu_epi8(out + r * out_stride + at, used, levels.bytes([&](int i) {
          return _mm512_mul_ps(_mm512_maskz_loadu_ps(cut_mask(used, 16 * i), row + 16 * i), factor);
        }));
      }
    }
  }
}

// Writes the weights of exp(score - top) and returns their sum.
QDQ_INT8_INLINE std::int32_t write_weights(std::uint8_t* upper, std::uint8_t* lower, const float* scores, float top,
                                           std::int64_t n) {
  const __m512 tops = _mm512_set1_ps(top), largest = _mm512_set1_ps(kLargestWeight);
  __m512i sums = _mm512_setzero_si512();
  for_each_vector(n, [&](std::int64_t i, __mmask16 used) {
    const __m512 e = exp_approx(_mm512_sub_ps(_mm512_maskz_loadu_ps(used, scores + i), tops));
    const __m512 level = _mm512_max_ps(_mm512_mul_ps(e, largest), _mm512_setzero_ps());  // in this order NaN becomes 0
    const __m512i weight = _mm512_maskz_cvtps_epi32(used, _mm512_min_ps(level, largest));
    _mm512_mask_cvtepi32_storeu_epi8(upper + i, used, _mm512_srli_epi32(weight, 8));
    _mm512_mask_cvtepi32_storeu_epi8(lower + i, used, weight);
    sums = _mm512_add_epi32(sums, weight);
  });
  return _mm512_reduce_add_epi32(sums);
}

void weigh(std::uint8_t* upper, std::uint8_t* lower, std::int64_t out_stride, std::int32_t* totals, float* scores,
           std::int64_t score_stride, const float* const* masks, std::int64_t rows, std::int64_t n) {
  constexpr std::int64_t kRows = 8;  // as in softmax
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t end = rows - first < kRows ? rows : first + kRows;
    float tops[kRows];
    for (std::int64_t r = first; r < end; ++r)
      tops[r - first] = largest_of(scores + r * score_stride, masks ? masks[r] : nullptr, n);
    for (std::int64_t r = first; r < end; ++r)
      totals[r] =
          write_weights(upper + r * out_stride, lower + r * out_stride, scores + r * score_stride, tops[r - first], n);
  }
}

std::int32_t sum(const std::uint8_t* a, std::int64_t n) {
  __m512i sums = _mm512_setzero_si512();
  for (std::int64_t i = 0; i < n; i += 64)
    sums = _mm512_add_epi64(
        sums, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(first_lanes(n - i), a + i), _mm512_setzero_si512()));
  return static_cast<std::int32_t>(_mm512_reduce_add_epi64(sums));
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

#define QDQ_HAS_OWN_BINARY
#define QDQ_HAS_OWN_FUNCTIONS
#define QDQ_HAS_OWN_GELU
#define QDQ_HAS_OWN_LOOK_UP
#define QDQ_ISA avx512_vnni
#define QDQ_ISA_NAME "avx512_vnni"
#include "runtime/kernels/int8/elementwise.inc.h"
