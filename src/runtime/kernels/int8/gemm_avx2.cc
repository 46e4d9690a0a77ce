// Tiles of 16 columns in AVX2: bytes and weights are widened to 16 bits, so that a multiply-add of pairs cannot saturate. A register
// holds two partial sums of each of 4 columns, which are added at the end. Three rows fill the sixteen registers.
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

// 4 bytes of a row, widened, beside each of 4 columns. As if they were a float: that broadcast is part of the load, where the
// compiler puts a shuffle behind it for _mm_set1_epi32.
QDQ_INT8_INLINE __m256i quad(const std::uint8_t* from) {
  return _mm256_cvtepu8_epi16(_mm_castps_si128(_mm_broadcast_ss(reinterpret_cast<const float*>(from))));
}

// The sums of 4 columns in each of 3 rows: two halves of each, side by side.
struct Quads {
  __m256i row0 = _mm256_setzero_si256(), row1 = _mm256_setzero_si256(), row2 = _mm256_setzero_si256();
};

QDQ_INT8_INLINE void add_products(__m256i& sums, __m256i bytes, __m256i weights) {
  sums = _mm256_add_epi32(sums, _mm256_madd_epi16(bytes, weights));
}

template <std::size_t R>
void tile(const GemmTile& t) {
  // Variables of their own, for the compiler writes an array of sums to memory in every step.
  Quads q0, q1, q2, q3;
  const std::int8_t* weights = t.weights;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint8_t* row0 = row_pointers(t, 0)[tap];
    const std::uint8_t* row1 = R > 1 ? row_pointers(t, 1)[tap] : row0;
    const std::uint8_t* row2 = R > 2 ? row_pointers(t, 2)[tap] : row0;
    for (std::int64_t at = 0; at < t.depth; at += 4, weights += 64) {
      const __m256i bytes0 = quad(row0 + at), bytes1 = quad(row1 + at), bytes2 = quad(row2 + at);
      const auto add = [&](Quads & q, const std::int8_t* from) __attribute__((always_inline)) {
        const __m256i w = widen(from);
        add_products(q.row0, bytes0, w);
        if constexpr (R > 1) add_products(q.row1, bytes1, w);
        if constexpr (R > 2) add_products(q.row2, bytes2, w);
      };
      add(q0, weights);
      add(q1, weights + 16);
      add(q2, weights + 32);
      add(q3, weights + 48);
    }
  }
  const __m256i sums[3][4] = {
      {q0.row0, q1.row0, q2.row0, q3.row0}, {q0.row1, q1.row1, q2.row1, q3.row1}, {q0.row2, q1.row2, q2.row2, q3.row2}};
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
