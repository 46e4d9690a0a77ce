// Tiles of up to 64 columns in AVX-512 VNNI: each of R x V registers holds the sums of 16 columns of one row. A step takes 4 bytes
// of depth: one broadcast per row, one load of weights per 16 columns, R * V multiply-adds.
#include <immintrin.h>

#include <utility>

#include "runtime/kernels/int8/avx512_vnni.h"

namespace qdq::runtime::int8::avx512_vnni {
namespace {

template <std::size_t R, std::size_t V>
struct Sums {
  __m512i at[R][V];
};

template <std::size_t V, std::size_t... v>
QDQ_INT8_INLINE void add_row(__m512i (&sums)[V], __m512i bytes, const __m512i (&weights)[V],
                             std::index_sequence<v...>) {
  ((sums[v] = multiply_add(sums[v], bytes, weights[v])), ...);
}

template <std::size_t R, std::size_t V, std::size_t... r>
QDQ_INT8_INLINE void add_rows(Sums<R, V>& sums, const std::uint8_t* const (&rows)[R], std::int64_t at,
                              const __m512i (&weights)[V], std::index_sequence<r...>) {
  (add_row(sums.at[r], _mm512_set1_epi32(load_int(rows[r] + at)), weights, std::make_index_sequence<V>()), ...);
}

template <std::size_t V, std::size_t... v>
QDQ_INT8_INLINE void load_weights(__m512i (&weights)[V], const std::int8_t* from, std::index_sequence<v...>) {
  ((weights[v] = _mm512_load_si512(from + 64 * v)), ...);
}

template <std::size_t R, std::size_t V, std::size_t... i>
QDQ_INT8_INLINE void start_sums(Sums<R, V>& sums, const std::int32_t* start, std::index_sequence<i...>) {
  ((sums.at[i / V][i % V] = _mm512_loadu_si512(start + 16 * (i % V))), ...);
}

// What the rows of a tile have in common, read once: stores to bytes might change what pointers lead to, as far as the compiler knows.
struct Ending {
  Rescale rescale;
  const std::uint8_t* residual;
  void* out;
  std::int64_t out_stride;
  __mmask64 used;
  bool is_full;  // all columns are used: a mask makes loads and stores slower
  bool to_float;
  __m512i low, high;
};

template <std::size_t V>
QDQ_INT8_INLINE Ending ending_of(const GemmTile& t) {
  const auto level = [](float bound) { return _mm512_set1_epi8(static_cast<char>(static_cast<int>(bound))); };
  return {t.rescale,
          t.residual,
          t.out,
          t.out_stride,
          first_lanes(t.used_columns),
          t.used_columns == 16 * static_cast<std::int64_t>(V),
          t.to_float,
          t.to_float ? __m512i() : level(t.rescale.low),
          t.to_float ? __m512i() : level(t.rescale.high)};
}

template <std::size_t R, std::size_t V>
struct Values {
  __m512 at[R][V];
};

// Column by column, whose multipliers and offsets are read once.
template <std::size_t R, std::size_t V, std::size_t... i>
QDQ_INT8_INLINE void rescale_sums(Values<R, V>& values, Sums<R, V>& sums, const GemmTile& t,
                                  std::index_sequence<i...>) {
  if (t.row_start)
    ((sums.at[i / V][i % V] = _mm512_add_epi32(sums.at[i / V][i % V], _mm512_set1_epi32(t.row_start[i / V]))), ...);
  __m512 multiplier, offset;
  ((i % R == 0 ? (multiplier = _mm512_loadu_ps(t.rescale.multiplier + 16 * (i / R)),
                  offset = _mm512_loadu_ps(t.rescale.offset + 16 * (i / R)))
               : offset,
    values.at[i % R][i / R] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums.at[i % R][i / R]), multiplier, offset)),
   ...);
}

QDQ_INT8_INLINE __m512 residual_at(const Ending& e, std::int64_t at, int v) {
  const std::uint8_t* from = e.residual + at + 16 * v;
  if (!e.is_full) return load_bytes_as_floats(from, cut_mask(e.used, 16 * v));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

template <std::size_t V>
QDQ_INT8_INLINE void store_bytes(std::uint8_t* to, __m512i bytes, const Ending& e) {
  if (V == 4 && e.is_full)
    _mm512_storeu_si512(to, bytes);
  else if (V == 2 && e.is_full)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(bytes));
  else
    _mm512_mask_storeu_epi8(to, e.used, bytes);
}

template <std::size_t V, std::size_t... v>
QDQ_INT8_INLINE void store_row(__m512 (&values)[V], const Ending& e, std::size_t row, std::index_sequence<v...>) {
  const std::int64_t at = static_cast<std::int64_t>(row) * e.out_stride;
  const Rescale& rescale = e.rescale;
  if (e.residual) {
    const __m512 multiplier = _mm512_set1_ps(rescale.residual_multiplier);
    ((values[v] = _mm512_fmadd_ps(residual_at(e, at, v), multiplier, values[v])), ...);
  }
  if (e.to_float) {
    constexpr float kInfinity = __builtin_inff();
    float* out = static_cast<float*>(e.out) + at;
    if (rescale.low > -kInfinity || rescale.high < kInfinity) {
      // The order of the operands keeps NaN, which a scale that is chosen at run time may be.
      const __m512 low = _mm512_set1_ps(rescale.low), high = _mm512_set1_ps(rescale.high);
      ((values[v] = _mm512_min_ps(high, _mm512_max_ps(low, values[v]))), ...);
    }
    if (e.is_full)
      (_mm512_storeu_ps(out + 16 * v, values[v]), ...);
    else
      (_mm512_mask_storeu_ps(out + 16 * v, cut_mask(e.used, 16 * v), values[v]), ...);
    return;
  }
  __m512i levels[4] = {};
  ((levels[v] = _mm512_cvtps_epi32(values[v])), ...);
  const __m512i bytes = in_order(pack_levels(levels[0], levels[1], levels[2], levels[3]));
  // Clamping rounded and saturated bytes is clamping before rounding: the bounds are whole.
  store_bytes<V>(static_cast<std::uint8_t*>(e.out) + at, _mm512_min_epu8(_mm512_max_epu8(bytes, e.low), e.high), e);
}

template <std::size_t R, std::size_t V, std::size_t... r>
QDQ_INT8_INLINE void store_rows(Sums<R, V>& sums, const GemmTile& t, std::index_sequence<r...>) {
  Values<R, V> values;
  rescale_sums(values, sums, t, std::make_index_sequence<R * V>());
  const Ending ending = ending_of<V>(t);
  (store_row(values.at[r], ending, r, std::make_index_sequence<V>()), ...);
}

template <std::size_t R, std::size_t V>
void tile(const GemmTile& t) {
  Sums<R, V> sums;
  start_sums(sums, t.start, std::make_index_sequence<R * V>());
  const std::int8_t* weights = t.weights;
  const std::int8_t* ahead = t.ahead ? t.ahead : weights;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint8_t* rows[R];
    for (std::size_t r = 0; r < R; ++r) rows[r] = row_pointers(t, r)[tap];
    for (std::int64_t at = 0; at < t.depth; at += 4, weights += 64 * V, ahead += 64) {
      _mm_prefetch(ahead, _MM_HINT_T1);
      __m512i w[V];
      load_weights(w, weights, std::make_index_sequence<V>());
      add_rows(sums, rows, at, w, std::make_index_sequence<R>());
    }
  }
  store_rows(sums, t, std::make_index_sequence<R>());
}

// Rows per tile such that the sums, the weights and one broadcast fit the 32 registers.
using Tile = void (*)(const GemmTile&);
constexpr Tile kBy64[] = {tile<1, 4>, tile<2, 4>, tile<3, 4>, tile<4, 4>, tile<5, 4>, tile<6, 4>};
constexpr Tile kBy48[] = {tile<1, 3>, tile<2, 3>, tile<3, 3>, tile<4, 3>,
                          tile<5, 3>, tile<6, 3>, tile<7, 3>, tile<8, 3>};
constexpr Tile kBy32[] = {tile<1, 2>, tile<2, 2>, tile<3, 2>, tile<4, 2>, tile<5, 2>,
                          tile<6, 2>, tile<7, 2>, tile<8, 2>, tile<9, 2>, tile<10, 2>};
constexpr Tile kBy16[] = {tile<1, 1>, tile<2, 1>, tile<3, 1>, tile<4, 1>,
                          tile<5, 1>, tile<6, 1>, tile<7, 1>, tile<8, 1>};

template <const auto& ByRows>
void run(const GemmTile& t) {
  ByRows[t.count - 1](t);
}

template <const auto& ByRows>
constexpr GemmKernel kernel_of(std::int64_t columns) {
  return {columns, std::size(ByRows), std::size(ByRows), run<ByRows>};
}

}  // namespace

const GemmKernel kGemm[] = {kernel_of<kBy64>(64), kernel_of<kBy48>(48), kernel_of<kBy32>(32), kernel_of<kBy16>(16)};

}  // namespace qdq::runtime::int8::avx512_vnni
