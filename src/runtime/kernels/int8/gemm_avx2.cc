// Tiles of up to 64 columns in AVX2. Bytes and weights are multiplied as integers of 16 bits, so that a multiply-add of pairs cannot
// saturate. The bytes are widened once for all columns.
//
// Where the depth is small and rows are many, 16 columns at a time go through all of them. Their weights are widened once, too, and sorted
// so that each column's sum stays in a lane of its own:
//
//     rows 0..47           depth: 2  2  2 ...            columns: 16 | 16 | ...
//     bytes, widened once   ->  [48][depth]   x   weights, widened once: [depth / 2][16][2]   ->   sums [48][16]
//
// Else 6 rows pass a stretch of depth together, 8 columns at a time, whose weights are widened as they are read. For each row two registers
// hold two partial sums of each of 4 columns, which fold into one at the end of the stretch:
//
//     rows 0..5            depth: 4  4  4 ...            columns: 8 | 8 | 8 | ...
//     bytes, widened once   ->  [6][kStretch]   x   weights, widened as they are read   ->   totals [6][columns]
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

constexpr std::int64_t kMostRows = 48;
constexpr std::int64_t kShallow = 256;  // with more depth the folding takes next to no time
constexpr std::int64_t kStretch =
    256;                           // with it, 64 columns of weights and the bytes of 6 rows fit the first-level cache
constexpr std::int64_t kPass = 8;  // columns that go through a stretch together

QDQ_INT8_INLINE std::int64_t lesser(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

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

// 16 columns of rows [begin, begin + count).
QDQ_INT8_INLINE void finish(const GemmTile& t, std::int64_t begin, std::int64_t count, std::int64_t column,
                            const std::int32_t* sums, std::int64_t stride) {
  const Ending ending(t.rescale, column, t.to_float);
  const std::int64_t used = lesser(t.used_columns - column, 16), first = begin * t.out_stride + column;
  const auto sums_of_row = [&](std::int64_t r) -> Sums {
    const auto* eights = reinterpret_cast<const __m256i*>(sums + r * stride);
    return {{eights[0], eights[1]}};
  };
  auto* bytes = static_cast<std::uint8_t*>(t.out) + first;
  if (used < 16 || t.to_float || t.row_start) {
    for (std::int64_t r = 0; r < count; ++r) {
      const __m256i more = _mm256_set1_epi32(t.row_start ? t.row_start[begin + r] : 0);
      Sums row = sums_of_row(r);
      for (__m256i& eight : row.at) eight = _mm256_add_epi32(eight, more);
      const std::int64_t at = r * t.out_stride;
      ending.store(t.to_float ? static_cast<void*>(static_cast<float*>(t.out) + first + at) : bytes + at, row,
                   t.residual ? t.residual + first + at : nullptr, used);
    }
  } else if (t.residual) {
    for (std::int64_t r = 0; r < count; ++r)
      ending.store_bytes(bytes + r * t.out_stride, sums_of_row(r), t.residual + first + r * t.out_stride);
  } else {
    for (std::int64_t r = 0; r < count; ++r) ending.store_bytes(bytes + r * t.out_stride, sums_of_row(r));
  }
}

// 16 columns of quads of depth to words [depth / 2][16][2].
template <std::int64_t Columns>
QDQ_INT8_INLINE void widen_weights(std::int16_t* to, const std::int8_t* weights, std::int64_t depth) {
  const __m256i halves = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,  // of 4 columns
                                          0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  for (std::int64_t at = 0; at < depth; at += 4, weights += 4 * Columns, to += 64)
    for (int v = 0; v < 2; ++v) {
      const __m256i quads = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + 32 * v));
      const __m256i pairs = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(quads, halves), 0b11011000);
      auto* words = reinterpret_cast<__m256i*>(to + 16 * v);
      _mm256_store_si256(words, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(pairs)));
      _mm256_store_si256(words + 2, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(pairs, 1)));
    }
}

// 64 bytes for every 4 of depth, without waiting for them.
QDQ_INT8_INLINE const std::int8_t* fetch(const std::int8_t* ahead, std::int64_t depth) {
  for (std::int64_t at = 0; at < depth; at += 4, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
  return ahead;
}

template <std::int64_t Columns>
void run_shallow(const GemmTile& t) {
  constexpr std::int64_t kTogether = 16;
  alignas(32) std::int16_t bytes[kMostRows * kShallow], weights[kShallow * kTogether];
  alignas(32) std::int32_t sums[kMostRows * kTogether];
  const std::int64_t depth = t.taps * t.depth;
  for (std::int64_t r = 0; r < t.count; ++r)
    for (std::int64_t tap = 0; tap < t.taps; ++tap)
      widen_bytes(bytes + r * depth + tap * t.depth, t.rows[r * t.row_stride + tap], t.depth);
  for (std::int64_t c = 0; c < t.used_columns; c += kTogether) {
    widen_weights<Columns>(weights, t.weights + 4 * c, depth);
    multiply_columns({sums, kTogether, t.start + c, 0, bytes, depth, depth, weights}, t.count);
    finish(t, 0, t.count, c, sums, kTogether);
  }
}

template <std::size_t R>
struct Stretch {
  alignas(32) std::int16_t bytes[R][kStretch];
  std::int64_t depth;
};

// Where a tile's next stretch begins.
struct Position {
  std::int64_t tap = 0, at = 0;
};

template <std::size_t R>
QDQ_INT8_INLINE void fill(Stretch<R>& stretch, const GemmTile& t, std::int64_t row, Position& next) {
  stretch.depth = 0;
  while (stretch.depth < kStretch && next.tap < t.taps) {
    const std::int64_t n = lesser(kStretch - stretch.depth, t.depth - next.at);
    const std::uint8_t* const* pointers = t.rows + row * t.row_stride + next.tap;
    for (std::size_t r = 0; r < R; ++r, pointers += t.row_stride)
      widen_bytes(stretch.bytes[r] + stretch.depth, *pointers + next.at, n);
    stretch.depth += n;
    next.at += n;
    if (next.at == t.depth) next = {next.tap + 1, 0};
  }
}

// 8 columns through a stretch; `before`: what was added up before it, one row or, with a stride, all of them.
template <std::size_t R, std::size_t Columns>
QDQ_INT8_INLINE void pass(std::int32_t* totals, const std::int32_t* before, std::int64_t before_stride,
                          const Stretch<R>& stretch, const std::int8_t* weights) {
  Rows left, right;  // 4 columns each, in two halves side by side
  multiply_rows<R, 4, static_cast<std::int64_t>(4 * Columns)>(left, right, stretch.bytes[0], kStretch, stretch.depth,
                                                              weights);
  const __m256i lefts[] = {left.row0, left.row1, left.row2, left.row3, left.row4, left.row5};
  const __m256i rights[] = {right.row0, right.row1, right.row2, right.row3, right.row4, right.row5};
  for (std::size_t r = 0; r < R; ++r) {
    const __m256i mixed = _mm256_hadd_epi32(lefts[r], rights[r]);  // columns 0 1 4 5 | 2 3 6 7
    const auto* first = reinterpret_cast<const __m256i*>(before + static_cast<std::int64_t>(r) * before_stride);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(totals + r * Columns),
                        _mm256_add_epi32(_mm256_loadu_si256(first), _mm256_permute4x64_epi64(mixed, 0b11011000)));
  }
}

template <std::size_t R, std::size_t Columns>
void tile(const GemmTile& t, std::int64_t row, const std::int8_t* ahead) {
  constexpr auto kColumns = static_cast<std::int64_t>(Columns);
  alignas(32) std::int32_t totals[R][Columns];
  Stretch<R> stretch;
  Position next;
  const std::int8_t* weights = t.weights;
  const std::int32_t* before = t.start;
  std::int64_t before_stride = 0;
  do {
    fill(stretch, t, row, next);
    if (ahead) ahead = fetch(ahead, stretch.depth);
    for (std::int64_t c = 0; c < t.used_columns; c += kPass)
      pass<R, Columns>(totals[0] + c, before + c, before_stride, stretch, weights + 4 * c);
    weights += stretch.depth * kColumns;
    before = totals[0];
    before_stride = kColumns;
  } while (next.tap < t.taps);
  for (std::int64_t c = 0; c < t.used_columns; c += 16) finish(t, row, R, c, totals[0] + c, kColumns);
}

template <std::size_t Columns>
void run(const GemmTile& t) {
  if (t.count > kRowsTogether && t.taps * t.depth <= kShallow) return run_shallow<Columns>(t);
  using Tile = void (*)(const GemmTile&, std::int64_t, const std::int8_t*);
  constexpr Tile kTiles[kRowsTogether] = {tile<1, Columns>, tile<2, Columns>, tile<3, Columns>,
                                          tile<4, Columns>, tile<5, Columns>, tile<6, Columns>};
  const std::int8_t* ahead = t.ahead;
  for_each_together(t.count, [&](std::int64_t row, std::int64_t count) {
    kTiles[count - 1](t, row, ahead);
    if (ahead) ahead += t.taps * t.depth * 16;
  });
}

}  // namespace

const GemmKernel kGemm[] = {{64, kMostRows, kRowsTogether, run<64>},
                            {32, kMostRows, kRowsTogether, run<32>},
                            {16, kMostRows, kRowsTogether, run<16>}};

}  // namespace qdq::runtime::int8::avx2
