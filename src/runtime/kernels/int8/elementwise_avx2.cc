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
#define QDQ_HAS_OWN_LOOK_UP
#define QDQ_ISA avx2
#define QDQ_ISA_NAME "avx2"
#include "runtime/kernels/int8/elementwise.inc.h"
