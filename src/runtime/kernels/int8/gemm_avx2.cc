// Tiles of 16 columns in AVX2: bytes and weights are widened to 16 bits, so that a multiply-add of pairs cannot saturate. A register
// holds two partial sums of each of 4 columns, which are added at the end. Three rows fill the sixteen registers.
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

template <std::size_t R>
void tile(const GemmTile& t) {
  __m256i sums[R][4] = {};
  const std::int8_t* weights = t.weights;
  for (std::int64_t tap = 0; tap < t.taps; ++tap)
    for (std::int64_t at = 0; at < t.depth; at += 4, weights += 64) {
      __m256i bytes[R];
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r)
        bytes[r] = _mm256_cvtepu8_epi16(_mm_set1_epi32(load_int(row_pointers(t, r)[tap] + at)));
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        const __m256i w = widen(weights + 16 * v);
#pragma GCC unroll 4
        for (std::size_t r = 0; r < R; ++r) sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(bytes[r], w));
      }
    }
  for (std::size_t r = 0; r < R; ++r) {
    Sums totals = sums_of(t.start, sums[r]);
    if (t.row_start)
      for (__m256i& total : totals.at) total = _mm256_add_epi32(total, _mm256_set1_epi32(t.row_start[r]));
    const std::int64_t at = static_cast<std::int64_t>(r) * t.out_stride;
    store_row(static_cast<std::byte*>(t.out) + at * (t.to_float ? 4 : 1), t.to_float, totals, t.rescale,
              t.residual ? t.residual + at : nullptr, t.used_columns);
  }
}

using Tile = void (*)(const GemmTile&);
constexpr Tile kBy16[] = {tile<1>, tile<2>, tile<3>};

}  // namespace

const GemmKernel kGemm[] = {{16, kBy16}};

}  // namespace qdq::runtime::int8::avx2
