#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

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

#define QDQ_HAS_OWN_LOOK_UP
#define QDQ_ISA avx2
#define QDQ_ISA_NAME "avx2"
#include "runtime/kernels/int8/elementwise.inc.h"
