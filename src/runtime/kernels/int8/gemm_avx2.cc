// Tiles of up to 64 columns in AVX2. Bytes and weights are multiplied as integers of 16 bits, so that a multiply-add of pairs cannot
// saturate. The bytes of a tile's rows are widened once, a stretch of depth at a time; then 8 columns at a time go through it: for
// each of up to 6 rows two registers hold two partial sums of each of 4 columns, which fold into one at the end of the stretch.
//
//     rows 0..5            depth: 4  4  4 ...            columns: 8 | 8 | 8 | ...
//     bytes, widened once   ->  [6][kStretch]   x   weights, widened as they are read   ->   totals [6][columns]
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

constexpr std::int64_t kStretch =
    256;                           // with it, 64 columns of weights and the bytes of 6 rows fit the first-level cache
constexpr std::int64_t kPass = 8;  // columns that go through a stretch together

template <std::size_t R>
struct Stretch {
  alignas(32) std::int16_t bytes[R][kStretch];
  std::int64_t depth;
};

// `n`, a multiple of 4, bytes; none behind them is read or written.
QDQ_INT8_INLINE void widen_bytes(std::int16_t* to, const std::uint8_t* from, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), _mm256_cvtepu8_epi16(bytes));
  }
  for (; i < n; i += 4)
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + i), _mm_cvtepu8_epi16(_mm_loadu_si32(from + i)));
}

// Where a tile's next stretch begins.
struct Position {
  std::int64_t tap = 0, at = 0;
};

QDQ_INT8_INLINE std::int64_t lesser(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

template <std::size_t R>
QDQ_INT8_INLINE void fill(Stretch<R>& stretch, const GemmTile& t, Position& next) {
  stretch.depth = 0;
  while (stretch.depth < kStretch && next.tap < t.taps) {
    const std::int64_t n = lesser(kStretch - stretch.depth, t.depth - next.at);
    for (std::size_t r = 0; r < R; ++r)
      widen_bytes(stretch.bytes[r] + stretch.depth, row_pointers(t, r)[next.tap] + next.at, n);
    stretch.depth += n;
    next.at += n;
    if (next.at == t.depth) next = {next.tap + 1, 0};
  }
}

// 8 columns through a stretch; `before`: what was added up before it, one row or, with a stride, all of them.
template <std::size_t R, std::size_t Columns>
QDQ_INT8_INLINE void pass(std::int32_t* totals, const std::int32_t* before, std::int64_t before_stride,
                          const Stretch<R>& stretch, const std::int8_t* weights) {
  __m256i sums[R];
  multiply_eight_columns<static_cast<std::int64_t>(4 * Columns)>(sums, stretch.bytes[0], kStretch, stretch.depth,
                                                                 weights);
  for (std::size_t r = 0; r < R; ++r) {
    const auto* first = reinterpret_cast<const __m256i*>(before + static_cast<std::int64_t>(r) * before_stride);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(totals + r * Columns),
                        _mm256_add_epi32(_mm256_loadu_si256(first), sums[r]));
  }
}

template <std::size_t R, std::size_t Columns>
void tile(const GemmTile& t) {
  constexpr auto kColumns = static_cast<std::int64_t>(Columns);
  alignas(32) std::int32_t totals[R][Columns];
  Stretch<R> stretch;
  Position next;
  const std::int8_t* weights = t.weights;
  const std::int32_t* before = t.start;
  std::int64_t before_stride = 0;
  do {
    fill(stretch, t, next);
    for (std::int64_t c = 0; c < t.used_columns; c += kPass)
      pass<R, Columns>(totals[0] + c, before + c, before_stride, stretch, weights + 4 * c);
    weights += stretch.depth * kColumns;
    before = totals[0];
    before_stride = kColumns;
  } while (next.tap < t.taps);
  for (std::int64_t c = 0; c < t.used_columns; c += 16) {
    const Ending ending(t.rescale, c, t.to_float);
    const std::int64_t used = lesser(t.used_columns - c, 16);
    for (std::size_t r = 0; r < R; ++r) {
      const __m256i more = _mm256_set1_epi32(t.row_start ? t.row_start[r] : 0);
      const auto* eights = reinterpret_cast<const __m256i*>(totals[r] + c);
      const Sums sums = {{_mm256_add_epi32(eights[0], more), _mm256_add_epi32(eights[1], more)}};
      const std::int64_t at = static_cast<std::int64_t>(r) * t.out_stride + c;
      ending.store(static_cast<std::byte*>(t.out) + at * (t.to_float ? 4 : 1), sums,
                   t.residual ? t.residual + at : nullptr, used);
    }
  }
}

using Tile = void (*)(const GemmTile&);
template <std::size_t Columns>
constexpr Tile kBy[] = {tile<1, Columns>, tile<2, Columns>, tile<3, Columns>,
                        tile<4, Columns>, tile<5, Columns>, tile<6, Columns>};

}  // namespace

const GemmKernel kGemm[] = {{64, kBy<64>}, {32, kBy<32>}, {16, kBy<16>}};

}  // namespace qdq::runtime::int8::avx2
