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

// The sums of 4 columns in each row: two halves of each, side by side. Variables of their own, for the compiler writes an array to
// memory in every step.
struct Halves {
  __m256i row0 = _mm256_setzero_si256(), row1 = _mm256_setzero_si256(), row2 = _mm256_setzero_si256(),
          row3 = _mm256_setzero_si256(), row4 = _mm256_setzero_si256(), row5 = _mm256_setzero_si256();
};

QDQ_INT8_INLINE void add_products(__m256i& left, __m256i& right, const std::int16_t* bytes, __m256i left_weights,
                                  __m256i right_weights) {
  const __m256i quad = _mm256_set1_epi64x(*reinterpret_cast<const long long*>(bytes));
  left = _mm256_add_epi32(left, _mm256_madd_epi16(quad, left_weights));
  right = _mm256_add_epi32(right, _mm256_madd_epi16(quad, right_weights));
  // The next row comes after this one: the sums, a row's bytes, and the weights just fit the registers.
  __asm__ volatile("" : "+x"(left), "+x"(right)::"memory");
}

QDQ_INT8_INLINE void fold(std::int32_t* totals, const std::int32_t* before, __m256i left, __m256i right) {
  const __m256i mixed = _mm256_hadd_epi32(left, right);  // columns 0 1 4 5 | 2 3 6 7
  const __m256i sums = _mm256_permute4x64_epi64(mixed, 0b11011000);
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(before));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(totals), _mm256_add_epi32(first, sums));
}

// 8 columns through a stretch; `before`: what was added up before it, one row or, with a stride, all of them.
template <std::size_t R, std::size_t Columns>
QDQ_INT8_INLINE void pass(std::int32_t* totals, const std::int32_t* before, std::int64_t before_stride,
                          const Stretch<R>& stretch, const std::int8_t* weights) {
  constexpr auto kColumns = static_cast<std::int64_t>(Columns);
  Halves left, right;
  const std::int64_t depth = stretch.depth;
  for (std::int64_t at = 0; at < depth; at += 4, weights += 4 * kColumns) {
    const __m256i w0 = widen(weights), w1 = widen(weights + 16);
    add_products(left.row0, right.row0, stretch.bytes[0] + at, w0, w1);
    if constexpr (R > 1) add_products(left.row1, right.row1, stretch.bytes[1] + at, w0, w1);
    if constexpr (R > 2) add_products(left.row2, right.row2, stretch.bytes[2] + at, w0, w1);
    if constexpr (R > 3) add_products(left.row3, right.row3, stretch.bytes[3] + at, w0, w1);
    if constexpr (R > 4) add_products(left.row4, right.row4, stretch.bytes[4] + at, w0, w1);
    if constexpr (R > 5) add_products(left.row5, right.row5, stretch.bytes[5] + at, w0, w1);
  }
  const __m256i lefts[] = {left.row0, left.row1, left.row2, left.row3, left.row4, left.row5};
  const __m256i rights[] = {right.row0, right.row1, right.row2, right.row3, right.row4, right.row5};
  for (std::size_t r = 0; r < R; ++r)
    fold(totals + r * Columns, before + static_cast<std::int64_t>(r) * before_stride, lefts[r], rights[r]);
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
