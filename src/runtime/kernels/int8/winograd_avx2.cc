// Winograd's F(2 x 2, 3 x 3) in AVX2, where a multiply-add takes words anyway:
//
//     16 bytes, 4 x 4  -- transform -->  16 words  -- multiply, position by position -->  16 sums  -- finish -->  4 results, 2 x 2
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

constexpr std::int64_t kColumns = 64;
constexpr std::int64_t kStrip = 8;  // columns whose weights lie together
constexpr std::int64_t kRows = 6;

// B^T d B, whose first factor is (1 0 -1 0 | 0 1 1 0 | 0 -1 1 0 | 0 1 0 -1): within 1020 of 0.
QDQ_INT8_INLINE void transform_words(__m256i (&d)[4][4]) {
  const auto mix = [](__m256i& a, __m256i& b, __m256i& c, __m256i& e) {
    const __m256i first = _mm256_sub_epi16(a, c), second = _mm256_add_epi16(b, c), third = _mm256_sub_epi16(c, b);
    e = _mm256_sub_epi16(b, e);
    a = first;
    b = second;
    c = third;
  };
  for (int x = 0; x < 4; ++x) mix(d[0][x], d[1][x], d[2][x], d[3][x]);
  for (int y = 0; y < 4; ++y) mix(d[y][0], d[y][1], d[y][2], d[y][3]);
}

// load(address) gives words, store(address, words) takes them.
template <typename Load, typename Store>
QDQ_INT8_INLINE void transform_at(std::int16_t* words, std::int64_t stride, const std::uint8_t* const* pixels,
                                  std::int64_t channel, Load load, Store store) {
  __m256i d[4][4];
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) d[y][x] = load(pixels[4 * y + x] + channel);
  transform_words(d);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) store(words + (4 * y + x) * stride + channel, d[y][x]);
}

void transform(std::int16_t* words, std::int64_t stride, const std::uint8_t* const* pixels, std::int64_t channels) {
  std::int64_t c = 0;
  for (; c + 16 <= channels; c += 16)
    transform_at(
        words, stride, pixels, c,
        [](const std::uint8_t* from) {
          return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        },
        [](std::int16_t* to, __m256i word) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), word); });
  for (; c < channels; c += 4)
    transform_at(
        words, stride, pixels, c, [](const std::uint8_t* from) { return _mm256_cvtepu8_epi16(_mm_loadu_si32(from)); },
        [](std::int16_t* to, __m256i word) {
          _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(word));
        });
}

template <std::size_t R>
QDQ_INT8_INLINE void multiply_rows(std::int32_t* sums, const std::int16_t* words, std::int64_t depth,
                                   const std::int16_t* weights) {
  __m256i eights[R];
  multiply_eight_columns<4 * kStrip>(eights, words, depth, depth, weights);
  for (std::size_t r = 0; r < R; ++r)
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + static_cast<std::int64_t>(r) * kColumns), eights[r]);
}

// Strip by strip, whose weights stay in the first-level cache for all rows.
void multiply(std::int32_t* sums, const std::int16_t* words, std::int64_t rows, std::int64_t depth,
              const std::int16_t* weights, std::int64_t used) {
  using Rows = void (*)(std::int32_t*, const std::int16_t*, std::int64_t, const std::int16_t*);
  constexpr Rows kByRows[] = {multiply_rows<1>, multiply_rows<2>, multiply_rows<3>,
                              multiply_rows<4>, multiply_rows<5>, multiply_rows<6>};
  const std::int64_t calls = (rows + kRows - 1) / kRows;
  for (std::int64_t c = 0; c < used; c += kStrip, weights += depth * kStrip)
    for (std::int64_t call = 0; call < calls; ++call) {
      const std::int64_t begin = rows * call / calls, end = rows * (call + 1) / calls;
      kByRows[end - begin - 1](sums + begin * kColumns + c, words + begin * depth, depth, weights);
    }
}

// A^T m A, whose first factor is (1 1 1 0 | 0 1 -1 -1), over 8 columns: four times the sums of 2 x 2 results.
QDQ_INT8_INLINE void collect(__m256i (&results)[4], const std::int32_t* sums, std::int64_t stride) {
  const auto upper = [](__m256i a, __m256i b, __m256i c) { return _mm256_add_epi32(_mm256_add_epi32(a, b), c); };
  const auto lower = [](__m256i b, __m256i c, __m256i d) { return _mm256_sub_epi32(_mm256_sub_epi32(b, c), d); };
  __m256i rows[2][4];
  for (int x = 0; x < 4; ++x) {
    __m256i m[4];
    for (int y = 0; y < 4; ++y) m[y] = _mm256_load_si256(reinterpret_cast<const __m256i*>(sums + (4 * y + x) * stride));
    rows[0][x] = upper(m[0], m[1], m[2]);
    rows[1][x] = lower(m[1], m[2], m[3]);
  }
  for (int y = 0; y < 2; ++y) {
    results[2 * y] = upper(rows[y][0], rows[y][1], rows[y][2]);
    results[2 * y + 1] = lower(rows[y][1], rows[y][2], rows[y][3]);
  }
}

void finish(const WinogradResults& r) {
  for (std::int64_t c = 0; c < r.used_columns; c += 16) {
    const Ending ending(r.rescale, c, r.to_float);
    const std::int64_t used = r.used_columns - c < 16 ? r.used_columns - c : 16;
    __m256i results[2][4];
    for (int v = 0; v < 2; ++v) {
      collect(results[v], r.sums + c + 8 * v, r.stride);
      const __m256i start = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(r.start + c + 8 * v));
      for (__m256i& result : results[v]) result = _mm256_add_epi32(start, _mm256_srai_epi32(result, 2));
    }
    for (int i = 0; i < 4; ++i) {
      if (!r.out[i]) continue;
      const Sums sums = {{results[0][i], results[1][i]}};
      ending.store(static_cast<std::byte*>(r.out[i]) + c * (r.to_float ? 4 : 1), sums,
                   r.residual[i] ? r.residual[i] + c : nullptr, used);
    }
  }
}

}  // namespace

const WinogradKernel kWinograd = {kColumns, transform, multiply, finish};

}  // namespace qdq::runtime::int8::avx2
