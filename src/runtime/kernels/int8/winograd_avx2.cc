// Winograd's F(m x m, 3 x 3), m = 2 and 4, in AVX2, where a multiply-add takes words anyway. With n = m + 2:
//
//     n x n pixels, bytes  -- transform -->          n x n words  \                                           n x n sums
//     3 x 3 taps, bytes    -- transform_filters -->  n x n words  /  -- multiply, position by position -->    -- finish -->  m x m results
#include <immintrin.h>

#include <utility>

#include "runtime/kernels/int8/avx2.h"
#include "runtime/kernels/int8/winograd_avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

constexpr std::int64_t kLanes = 16;         // words in a register
constexpr std::int64_t kStrip = 16;         // columns whose weights lie together
constexpr std::int64_t kPair = 2 * kStrip;  // weights of 2 of depth

// fn(0), fn(1) ... fn(N - 1), each a constant.
template <std::size_t N, typename Fn>
QDQ_INT8_INLINE void in_order(Fn&& fn) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (fn(std::integral_constant<std::size_t, I>()), ...); }
  (std::make_index_sequence<N>());
}

// fn(line of N) down each column, then along each row.
template <std::size_t N, typename Fn>
QDQ_INT8_INLINE void in_both_directions(Words (&words)[N][N], Fn fn) {
  for (std::size_t x = 0; x < N; ++x) {
    Words column[N];
    for (std::size_t y = 0; y < N; ++y) column[y] = words[y][x];
    fn(column);
    for (std::size_t y = 0; y < N; ++y) words[y][x] = column[y];
  }
  for (std::size_t y = 0; y < N; ++y) fn(words[y]);
}

// load(address) gives words, store(address, words) takes them.
template <typename Tile, typename Load, typename Store>
QDQ_INT8_INLINE void transform_at(std::int16_t* words, std::int64_t stride, const std::uint8_t* const* pixels,
                                  std::int64_t channel, Load load, Store store) {
  constexpr std::size_t kSize = Tile::kSize;
  Words d[kSize][kSize];
  for (std::size_t i = 0; i < kSize * kSize; ++i) d[i / kSize][i % kSize] = load(pixels[i] + channel);
  in_both_directions(d, [](Words(&line)[kSize]) { Tile::pixels(line); });
  for (std::size_t i = 0; i < kSize * kSize; ++i, words += stride) store(words + channel, d[i / kSize][i % kSize]);
}

template <typename Tile>
void transform(std::int16_t* words, std::int64_t stride, const std::uint8_t* const* pixels, std::int64_t channels) {
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes)
    transform_at<Tile>(
        words, stride, pixels, c,
        [](const std::uint8_t* from) {
          return Words(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
        },
        [](std::int16_t* to, Words word) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), __m256i(word)); });
  for (; c < channels; c += 4)
    transform_at<Tile>(
        words, stride, pixels, c,
        [](const std::uint8_t* from) { return Words(_mm256_cvtepu8_epi16(_mm_loadu_si32(from))); },
        [](std::int16_t* to, Words word) {
          _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(__m256i(word)));
        });
}

template <typename Tile, std::size_t Row>
void transform_filter_row(std::int16_t* words, std::int64_t stride, const std::int8_t* filters, std::int64_t pairs) {
  for (std::int64_t pair = 0; pair < pairs; ++pair, filters += 9 * kPair, words += kPair)
    for (std::int64_t half = 0; half < kPair; half += kLanes) {
      Words g[3];
      for (std::int64_t x = 0; x < 3; ++x)
        g[x] = Tile::template filter<Row>(
            [&](std::int64_t y) { return Words(widen(filters + (3 * y + x) * kPair + half)); });
      std::int16_t* to = words + half;
      const auto store = [&](Words word) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to), __m256i(word));
        to += stride;
      };
      in_order<Tile::kSize>([&](auto x) { store(Tile::template filter<x>([&](std::int64_t tap) { return g[tap]; })); });
    }
}

template <typename Tile>
void transform_filters(std::int16_t* words, std::int64_t stride, const std::int8_t* filters, std::int64_t pairs,
                       std::int64_t row) {
  in_order<Tile::kSize>([&](auto y) {
    if (row == std::int64_t{y}) transform_filter_row<Tile, y>(words, stride, filters, pairs);
  });
}

void multiply(const WinogradProduct& p) {
  alignas(32) static constexpr std::int32_t kZeros[kStrip] = {};
  multiply_columns(
      {p.sums, kStrip, p.adds ? p.sums : kZeros, p.adds ? kStrip : 0, p.words, p.words_stride, p.depth, p.weights},
      p.rows);
}

// The sums of m x m results in 8 columns.
template <typename Tile>
QDQ_INT8_INLINE void collect(__m256i (&results)[Tile::kResults * Tile::kResults], const std::int32_t* sums,
                             std::int64_t stride, const std::int32_t* start) {
  constexpr std::size_t kSize = Tile::kSize, kResults = Tile::kResults;
  Integers rows[kResults][kSize];
  for (std::size_t x = 0; x < kSize; ++x) {
    Integers m[kSize], column[kResults];
    for (std::size_t y = 0; y < kSize; ++y)
      m[y] = Integers(_mm256_load_si256(
          reinterpret_cast<const __m256i*>(sums + static_cast<std::int64_t>(kSize * y + x) * stride)));
    Tile::sums(column, m);
    for (std::size_t y = 0; y < kResults; ++y) rows[y][x] = column[y];
  }
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start));
  for (std::size_t y = 0; y < kResults; ++y) {
    Integers row[kResults];
    Tile::sums(row, rows[y]);
    for (std::size_t x = 0; x < kResults; ++x) {
      const __m256i sum = _mm256_srai_epi32(__m256i(row[x] * Tile::kInverse), Tile::kShifts[y] + Tile::kShifts[x]);
      results[kResults * y + x] = _mm256_add_epi32(first, sum);
    }
  }
}

template <typename Tile>
void finish(const WinogradResults& r) {
  constexpr std::size_t kCount = Tile::kResults * Tile::kResults;
  const Ending ending(r.rescale, 0, r.to_float);
  __m256i results[2][kCount];
  for (int v = 0; v < 2; ++v) collect<Tile>(results[v], r.sums + 8 * v, r.stride, r.start + 8 * v);
  const auto for_each_result = [&](auto&& store) {
    for (std::size_t i = 0; i < kCount; ++i)
      if (r.out[i]) store(i, Sums{{results[0][i], results[1][i]}});
  };
  const auto bytes = [&](std::size_t i) { return static_cast<std::uint8_t*>(r.out[i]); };
  if (r.used_columns < kStrip || r.to_float)
    for_each_result([&](std::size_t i, const Sums& sums) {
      ending.store(r.out[i], sums, r.residual ? r.residual[i] : nullptr, r.used_columns);
    });
  else if (r.residual)
    for_each_result([&](std::size_t i, const Sums& sums) { ending.store_bytes(bytes(i), sums, r.residual[i]); });
  else
    for_each_result([&](std::size_t i, const Sums& sums) { ending.store_bytes(bytes(i), sums); });
}

template <typename Tile>
constexpr WinogradTile kTile = {Tile::kResults, Tile::kFactor, transform<Tile>, transform_filters<Tile>, finish<Tile>};
constexpr WinogradTile kTiles[] = {kTile<TwoResults>, kTile<FourResults>};

}  // namespace

const WinogradKernel kWinograd = {kStrip, kTiles, multiply};

}  // namespace qdq::runtime::int8::avx2
