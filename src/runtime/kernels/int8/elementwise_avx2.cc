#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

// The bytes of value(a, b) for 8 floats of each at a time.
template <typename Fn>
QDQ_INT8_INLINE void combine(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, float low,
                             float high, Fn value) {
  const __m256 lowest = _mm256_set1_ps(low), highest = _mm256_set1_ps(high);
  const auto sixteen = [&](const std::uint8_t* x, const std::uint8_t* y) {
    const auto eight = [&](int at) {
      return _mm256_min_ps(highest,
                           _mm256_max_ps(lowest, value(load_bytes_as_floats(x + at), load_bytes_as_floats(y + at))));
    };
    return rounded_bytes(eight(0), eight(8));
  };
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), sixteen(a + i, b + i));
  std::uint8_t left[16] = {}, right[16] = {};
  for (std::int64_t k = 0; i + k < n; ++k) {
    left[k] = a[i + k];
    right[k] = b[i + k];
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(left), sixteen(left, right));
  for (std::int64_t k = 0; i + k < n; ++k) out[i + k] = left[k];
}

void add(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, const Addition& p) {
  const __m256 a_multiplier = _mm256_set1_ps(p.a_multiplier), b_multiplier = _mm256_set1_ps(p.b_multiplier),
               offset = _mm256_set1_ps(p.offset);
  combine(out, a, b, n, p.low, p.high, [&](__m256 x, __m256 y) {
    return _mm256_fmadd_ps(x, a_multiplier, _mm256_fmadd_ps(y, b_multiplier, offset));
  });
}

// The products are whole numbers that floats hold.
void multiply(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n,
              const Multiplication& p) {
  const __m256 a_zero = _mm256_set1_ps(static_cast<float>(p.a_zero)),
               b_zero = _mm256_set1_ps(static_cast<float>(p.b_zero)), multiplier = _mm256_set1_ps(p.multiplier),
               offset = _mm256_set1_ps(p.offset);
  combine(out, a, b, n, p.low, p.high, [&](__m256 x, __m256 y) {
    return _mm256_fmadd_ps(_mm256_mul_ps(_mm256_sub_ps(x, a_zero), _mm256_sub_ps(y, b_zero)), multiplier, offset);
  });
}

// elementary::gelu_from: a row of the table fills four registers, in each of which a permutation looks up 8 elements.
struct Gelu {
  const GeluTable& table;

  QDQ_INT8_INLINE_MEMBER __m256 coefficient(int power, __m256i i) const {
    const auto quarter = [&](int q) { return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.c[power] + 8 * q), i); };
    // A blend looks at the highest bit.
    const __m256 is_upper = _mm256_castsi256_ps(_mm256_slli_epi32(i, 27)),
                 is_odd = _mm256_castsi256_ps(_mm256_slli_epi32(i, 28));
    return _mm256_blendv_ps(_mm256_blendv_ps(quarter(0), quarter(1), is_odd),
                            _mm256_blendv_ps(quarter(2), quarter(3), is_odd), is_upper);
  }

  QDQ_INT8_INLINE_MEMBER __m256 operator()(__m256 x) const {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256 a = _mm256_mul_ps(_mm256_min_ps(_mm256_andnot_ps(sign, x), _mm256_set1_ps(kGeluEnd)),
                                   _mm256_set1_ps(kGeluStretches));
    const __m256i i = _mm256_min_epi32(_mm256_cvttps_epi32(a), _mm256_set1_epi32(kGeluLast));
    const __m256 t = _mm256_sub_ps(a, _mm256_cvtepi32_ps(i));
    __m256 g = _mm256_fmadd_ps(coefficient(3, i), t, coefficient(2, i));
    g = _mm256_fmadd_ps(g, t, coefficient(1, i));
    g = _mm256_fmadd_ps(g, t, coefficient(0, i));
    g = _mm256_or_ps(_mm256_andnot_ps(sign, g), _mm256_and_ps(sign, x));
    return _mm256_mul_ps(x, _mm256_add_ps(_mm256_set1_ps(0.5f), g));
  }
};

void gelu(std::uint8_t* out, std::int64_t out_stride, const float* values, std::int64_t value_stride, std::int64_t rows,
          std::int64_t columns, const ActivationRescale& p, const GeluTable& table) {
  const Gelu gelu{table};
  const __m256 inverse_scale = _mm256_set1_ps(p.inverse_scale), low = _mm256_set1_ps(p.low - p.zero_point),
               high = _mm256_set1_ps(p.high - p.zero_point);
  const __m256i zero_point = _mm256_set1_epi32(static_cast<int>(p.zero_point));
  const auto eight = [&](const float* from) {
    const __m256 level = _mm256_mul_ps(gelu(_mm256_loadu_ps(from)), inverse_scale);
    return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(high, _mm256_max_ps(level, low))), zero_point);
  };
  const auto sixteen = [&](const float* from) { return as_bytes(eight(from), eight(from + 8)); };
  for (std::int64_t r = 0; r < rows; ++r, out += out_stride, values += value_stride) {
    std::int64_t i = 0;
    for (; i + 16 <= columns; i += 16) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), sixteen(values + i));
    if (i == columns) continue;
    float last[16] = {};
    std::uint8_t bytes[16];
    for (std::int64_t k = 0; i + k < columns; ++k) last[k] = values[i + k];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), sixteen(last));
    for (std::int64_t k = 0; i + k < columns; ++k) out[i + k] = bytes[k];
  }
}

// The table as 16 rows of 16 bytes, in each of which a shuffle looks up: a byte whose upper half is not the row's number gets its
// highest bit set, for which the shuffle gives 0.
void look_up(std::uint8_t* out, const std::uint8_t* a, std::int64_t n, const std::uint8_t* table) {
  __m256i rows[16];
  for (int r = 0; r < 16; ++r)
    rows[r] = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * r)));
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + i));
    __m256i found = _mm256_setzero_si256();
    for (int r = 0; r < 16; ++r) {
      const __m256i in_row = _mm256_xor_si256(bytes, _mm256_set1_epi8(static_cast<char>(16 * r)));
      const __m256i at = _mm256_adds_epu8(in_row, _mm256_set1_epi8(0x70));
      found = _mm256_or_si256(found, _mm256_shuffle_epi8(rows[r], at));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), found);
  }
  for (; i < n; ++i) out[i] = table[a[i]];
}

}  // namespace
}  // namespace qdq::runtime::int8::avx2

#define QDQ_HAS_OWN_BINARY
#define QDQ_HAS_OWN_GELU
#define QDQ_HAS_OWN_LOOK_UP
#define QDQ_WINOGRAD &kWinograd
#define QDQ_ISA avx2
#define QDQ_ISA_NAME "avx2"
#include "runtime/kernels/int8/elementwise.inc.h"
