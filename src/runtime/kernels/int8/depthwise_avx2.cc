// 16 channels at a time: bytes of several taps are interleaved and widened to 16 bits, multiplied and added in pairs.
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

constexpr std::int64_t kBlock = 16;

QDQ_INT8_INLINE __m128i load(const std::uint8_t* from, std::int64_t channels) {
  if (channels >= kBlock) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  std::uint8_t bytes[kBlock] = {};
  for (std::int64_t c = 0; c < channels; ++c) bytes[c] = from[c];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

QDQ_INT8_INLINE void add_quad(__m256i (&sums)[4], __m128i t0, __m128i t1, __m128i t2, __m128i t3,
                              const std::int8_t* weights) {
  const __m128i low01 = _mm_unpacklo_epi8(t0, t1), high01 = _mm_unpackhi_epi8(t0, t1);
  const __m128i low23 = _mm_unpacklo_epi8(t2, t3), high23 = _mm_unpackhi_epi8(t2, t3);
  const __m128i quads[4] = {_mm_unpacklo_epi16(low01, low23), _mm_unpackhi_epi16(low01, low23),
                            _mm_unpacklo_epi16(high01, high23), _mm_unpackhi_epi16(high01, high23)};
  for (int v = 0; v < 4; ++v)
    sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(_mm256_cvtepu8_epi16(quads[v]), widen(weights + 16 * v)));
}

QDQ_INT8_INLINE void store(const DepthwiseRun& d, std::int64_t pixel, std::int64_t c, const Sums& sums,
                           const Ending& ending, std::int64_t used) {
  const std::int64_t at = pixel * d.out_stride + c;
  void* out = d.floats ? static_cast<void*>(d.floats + at) : d.out + at;
  ending.store(out, sums, nullptr, used);
}

// Taps one by one, for filters and rows of all kinds.
void run_quads(const DepthwiseRun& d, std::int64_t c, const std::int8_t* weights, const Ending& ending) {
  const std::int64_t used = d.channels - c < kBlock ? d.channels - c : kBlock;
  for (std::int64_t pixel = 0; pixel < d.pixels; ++pixel) {
    const std::uint8_t* const* taps = d.taps;
    const std::int64_t at = pixel * d.step + c;
    __m256i sums[4] = {};
    for (std::int64_t q = 0; q < d.quads; ++q, taps += d.width)
      add_quad(sums, load(taps[0] + at, used), load(taps[1] + at, used), load(taps[2] + at, used),
               load(taps[d.width - 1] + at, used), weights + 4 * kBlock * q);
    store(d, pixel, c, sums_of(d.start + c, sums), ending, used);
  }
}

// A column of a filter of 3 x 3: for channels 0 to 7 and 8 to 15 the weights of the upper two rows in pairs, and the third row's.
struct ColumnWeights {
  __m256i upper[2], third[2];
};

// Of the quads of 8 channels, the bytes of a column: in the lower half of each 32 bits, or in the upper one.
template <int Column>
QDQ_INT8_INLINE __m256i lower_halves(__m256i quads) {
  return _mm256_srli_epi32(_mm256_srai_epi32(_mm256_slli_epi32(quads, 24 - 8 * Column), 8), 16);
}
template <int Column>
QDQ_INT8_INLINE __m256i upper_halves(__m256i quads) {
  return _mm256_srai_epi32(_mm256_slli_epi32(quads, 24 - 8 * Column), 8);
}

template <int Column>
QDQ_INT8_INLINE void read_column(ColumnWeights& column, const std::int8_t* weights) {
  for (int v = 0; v < 2; ++v) {
    const auto quads = [&](int row) {
      return _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + 4 * kBlock * row + 32 * v));
    };
    column.upper[v] = _mm256_blend_epi16(lower_halves<Column>(quads(0)), upper_halves<Column>(quads(1)), 0b10101010);
    column.third[v] = lower_halves<Column>(quads(2));
  }
}

// A column of the input in the same order.
struct ColumnBytes {
  __m256i upper[2], third[2];
};

QDQ_INT8_INLINE ColumnBytes read_bytes(const std::uint8_t* row0, const std::uint8_t* row1, const std::uint8_t* row2) {
  const __m128i first = load(row0, kBlock), second = load(row1, kBlock);
  const auto eight = [](const std::uint8_t* from) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  };
  return {
      {_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(first, second)), _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(first, second))},
      {eight(row2), eight(row2 + 8)}};
}

QDQ_INT8_INLINE void add_column(Sums& sums, const ColumnBytes& bytes, const ColumnWeights& weights) {
  for (int v = 0; v < 2; ++v) {
    sums.at[v] = _mm256_add_epi32(sums.at[v], _mm256_madd_epi16(bytes.upper[v], weights.upper[v]));
    sums.at[v] = _mm256_add_epi32(sums.at[v], _mm256_madd_epi16(bytes.third[v], weights.third[v]));
  }
}

QDQ_INT8_INLINE Sums first_sums(const std::int32_t* start) {
  const auto* from = reinterpret_cast<const __m256i*>(start);
  return {{_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)}};
}

// 3 x 3 over 16 channels. Where a row's pixels are neighbours, each column of the input is read once, for the three pixels of which it
// is the last, the middle, and the first column:
//
//     column     x - 2    x - 1    x
//     pixel x-2    0        1      2    complete
//     pixel x-1             0      1
//     pixel x                      0
template <typename Store>
QDQ_INT8_INLINE void run_columns(const DepthwiseRun& d, std::int64_t c, const std::int8_t* weights, Store store) {
  ColumnWeights columns[3];
  read_column<0>(columns[0], weights);
  read_column<1>(columns[1], weights);
  read_column<2>(columns[2], weights);
  const std::uint8_t* const* taps = d.taps;
  const auto bytes = [&](int tap, std::int64_t pixel) {
    const std::int64_t at = pixel * d.step + c;
    return read_bytes(taps[tap] + at, taps[3 + tap] + at, taps[6 + tap] + at);
  };
  if (!d.slides || d.pixels < 3) {
    for (std::int64_t pixel = 0; pixel < d.pixels; ++pixel) {
      Sums sums = first_sums(d.start + c);
      for (int tap = 0; tap < 3; ++tap) add_column(sums, bytes(tap, pixel), columns[tap]);
      store(pixel, sums);
    }
    return;
  }
  Sums middle = first_sums(d.start + c), last = middle;
  const ColumnBytes column0 = bytes(0, 0), column1 = bytes(1, 0);
  add_column(middle, column0, columns[0]);
  add_column(middle, column1, columns[1]);
  add_column(last, column1, columns[0]);
  for (std::int64_t pixel = 0; pixel < d.pixels; ++pixel) {
    const ColumnBytes column = bytes(2, pixel);
    Sums first = middle;
    middle = last;
    last = first_sums(d.start + c);
    add_column(first, column, columns[2]);
    add_column(middle, column, columns[1]);
    add_column(last, column, columns[0]);
    store(pixel, first);
  }
}

void run(const DepthwiseRun& d) {
  const std::int8_t* weights = d.weights;
  for (std::int64_t c = 0; c < d.channels; c += kBlock, weights += 4 * kBlock * d.quads) {
    const Ending ending(d.rescale, c, d.floats != nullptr);
    if (d.width != 3 || d.quads != 3 || c + kBlock > d.channels)
      run_quads(d, c, weights, ending);
    else if (d.floats)
      run_columns(d, c, weights, [&](std::int64_t pixel, const Sums& sums) {
        ending.store(d.floats + pixel * d.out_stride + c, sums, nullptr, kBlock);
      });
    else
      run_columns(d, c, weights, [&](std::int64_t pixel, const Sums& sums) {
        ending.store_bytes(d.out + pixel * d.out_stride + c, sums);
      });
  }
}

std::int64_t channel(std::int64_t lane) { return lane; }

}  // namespace

const DepthwiseKernel kDepthwise = {kBlock, channel, run};

}  // namespace qdq::runtime::int8::avx2
