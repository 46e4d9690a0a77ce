#pragma once
// What the AVX2 files share. Internal linkage throughout: no code of this set may be picked for another.
#include <immintrin.h>

#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::avx2 {

extern const GemmKernel kGemm[3];
extern const DepthwiseKernel kDepthwise;
extern const WinogradKernel kWinograd;

QDQ_INT8_INLINE __m256i widen(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

QDQ_INT8_INLINE __m256i widen(const std::int16_t* from) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}

// A register for each row. Variables of their own, for the compiler writes an array to memory in every step.
struct Rows {
  __m256i row0 = _mm256_setzero_si256(), row1 = _mm256_setzero_si256(), row2 = _mm256_setzero_si256(),
          row3 = _mm256_setzero_si256(), row4 = _mm256_setzero_si256(), row5 = _mm256_setzero_si256();
};

template <std::int64_t Step, typename Weight>
QDQ_INT8_INLINE void add_products(__m256i& left, __m256i& right, const std::int16_t* row, __m256i left_weights,
                                  __m256i right_weights) {
  __m256i words;
  if constexpr (Step == 4)
    words = _mm256_set1_epi64x(*reinterpret_cast<const long long*>(row));
  else
    words = _mm256_set1_epi32(*reinterpret_cast<const int*>(row));
  left = _mm256_add_epi32(left, _mm256_madd_epi16(words, left_weights));
  right = _mm256_add_epi32(right, _mm256_madd_epi16(words, right_weights));
  // The next row comes after this one: the sums, a row's words, and the weights just fit the registers. GCC 12 copies fewer of them when
  // it sees the sums here beside widened weights, and does not beside others.
  if constexpr (sizeof(Weight) == 1)
    __asm__ volatile("" : "+x"(left), "+x"(right)::"memory");
  else
    __asm__ volatile("" ::: "memory");
}

// Adds the products of up to 6 rows of `depth` words, `row_stride` apart, with two registers of weights for every Step of depth, which are
// Stride elements apart and aligned: in each, Step by Step words of as many columns as fit.
template <std::size_t R, std::int64_t Step, std::int64_t Stride, typename Weight>
QDQ_INT8_INLINE void multiply_rows(Rows& left, Rows& right, const std::int16_t* row0, std::int64_t row_stride,
                                   std::int64_t depth, const Weight* weights) {
  for (std::int64_t at = 0; at < depth; at += Step, weights += Stride) {
    const __m256i w0 = widen(weights), w1 = widen(weights + 16);
    const auto add = [&](__m256i& left_sums, __m256i& right_sums, std::int64_t row) {
      add_products<Step, Weight>(left_sums, right_sums, row0 + row * row_stride + at, w0, w1);
    };
    add(left.row0, right.row0, 0);
    if constexpr (R > 1) add(left.row1, right.row1, 1);
    if constexpr (R > 2) add(left.row2, right.row2, 2);
    if constexpr (R > 3) add(left.row3, right.row3, 3);
    if constexpr (R > 4) add(left.row4, right.row4, 4);
    if constexpr (R > 5) add(left.row5, right.row5, 5);
  }
}

// sums[row][16] = before[row][16] + products of rows of `depth` words with 16 columns of weights [depth / 2][16][2]; all but `before`
// and the words aligned to registers.
struct Product {
  std::int32_t* sums;
  std::int64_t stride;
  const std::int32_t* before;
  std::int64_t before_stride;  // or 0
  const std::int16_t* words;
  std::int64_t words_stride;
  std::int64_t depth;
  const std::int16_t* weights;
};

// A function of its own: inlined, GCC 12 writes some of the sums to memory in every step.
template <std::size_t R>
[[gnu::noinline]] static void multiply_together(const Product& p, std::int64_t row) {
  Rows left, right;  // 8 columns each
  multiply_rows<R, 2, 32>(left, right, p.words + row * p.words_stride, p.words_stride, p.depth, p.weights);
  const __m256i lefts[] = {left.row0, left.row1, left.row2, left.row3, left.row4, left.row5};
  const __m256i rights[] = {right.row0, right.row1, right.row2, right.row3, right.row4, right.row5};
  for (std::size_t r = 0; r < R; ++r, ++row) {
    const auto* before = reinterpret_cast<const __m256i*>(p.before + row * p.before_stride);
    auto* sums = reinterpret_cast<__m256i*>(p.sums + row * p.stride);
    _mm256_store_si256(sums, _mm256_add_epi32(_mm256_loadu_si256(before), lefts[r]));
    _mm256_store_si256(sums + 1, _mm256_add_epi32(_mm256_loadu_si256(before + 1), rights[r]));
  }
}

constexpr std::int64_t kRowsTogether = 6;

// fn(first row, number of them) for rows in groups of about the same size.
template <typename Fn>
QDQ_INT8_INLINE void for_each_together(std::int64_t rows, Fn&& fn) {
  const std::int64_t groups = (rows + kRowsTogether - 1) / kRowsTogether, least = rows / groups, more = rows % groups;
  for (std::int64_t group = 0, row = 0; group < groups; ++group) {
    const std::int64_t count = least + (group < more ? 1 : 0);
    fn(row, count);
    row += count;
  }
}

QDQ_INT8_INLINE void multiply_columns(const Product& p, std::int64_t rows) {
  constexpr void (*kTogether[kRowsTogether])(const Product&, std::int64_t) = {
      multiply_together<1>, multiply_together<2>, multiply_together<3>,
      multiply_together<4>, multiply_together<5>, multiply_together<6>};
  for_each_together(rows, [&](std::int64_t row, std::int64_t count) { kTogether[count - 1](p, row); });
}

// 16 columns of a row.
struct Sums {
  __m256i at[2];
};

// start + the 16 sums whose two halves lie side by side in 4 registers.
QDQ_INT8_INLINE Sums sums_of(const std::int32_t* start, const __m256i (&halves)[4]) {
  Sums sums;
  for (int v = 0; v < 2; ++v) {
    const __m256i mixed = _mm256_hadd_epi32(halves[2 * v], halves[2 * v + 1]);  // columns 0 1 4 5 | 2 3 6 7
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start + 8 * v));
    sums.at[v] = _mm256_add_epi32(_mm256_permute4x64_epi64(mixed, 0b11011000), first);
  }
  return sums;
}

// 16 integers, saturated to bytes. Each step keeps to its halves but one, which brings them together in the order 0 2 1 3.
QDQ_INT8_INLINE __m128i as_bytes(__m256i first, __m256i second) {
  const __m256i words = _mm256_packs_epi32(first, second);
  const __m128i quarters = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  return _mm_shuffle_epi32(quarters, 0b11011000);
}

// 16 floats, rounded to the nearest byte, ties to even.
QDQ_INT8_INLINE __m128i rounded_bytes(__m256 first, __m256 second) {
  return as_bytes(_mm256_cvtps_epi32(first), _mm256_cvtps_epi32(second));
}

QDQ_INT8_INLINE __m256 load_bytes_as_floats(const std::uint8_t* from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

// Rescale for 16 columns, read once: stores to bytes might change what pointers lead to, as far as the compiler knows.
class Ending {
 public:
  QDQ_INT8_INLINE_MEMBER Ending(const Rescale& rescale, std::int64_t column, bool to_float) : to_float_(to_float) {
    for (int v = 0; v < 2; ++v) {
      multiplier_[v] = _mm256_loadu_ps(rescale.multiplier + column + 8 * v);
      offset_[v] = _mm256_loadu_ps(rescale.offset + column + 8 * v);
    }
    low_ = _mm256_set1_ps(rescale.low);
    high_ = _mm256_set1_ps(rescale.high);
    lowest_ = as_bytes(_mm256_cvtps_epi32(low_), _mm256_cvtps_epi32(low_));
    highest_ = as_bytes(_mm256_cvtps_epi32(high_), _mm256_cvtps_epi32(high_));
    residual_multiplier_ = _mm256_set1_ps(rescale.residual_multiplier);
  }

  // 16 bytes.
  QDQ_INT8_INLINE_MEMBER void store_bytes(std::uint8_t* out, const Sums& sums) const {
    store_rounded(out, values_of(sums));
  }
  QDQ_INT8_INLINE_MEMBER void store_bytes(std::uint8_t* out, const Sums& sums, const std::uint8_t* residual) const {
    store_rounded(out, with_residual(values_of(sums), residual));
  }

  // The first `used` of 16 results; `residual` is null or has as many. Not for inner loops: beside its branches GCC 12 keeps nothing in
  // registers.
  QDQ_INT8_INLINE_MEMBER void store(void* out, const Sums& sums, const std::uint8_t* residual,
                                    std::int64_t used) const {
    if (used == 16) return store_sixteen(out, sums, residual);
    std::uint8_t summands[16] = {};
    if (residual)
      for (std::int64_t c = 0; c < used; ++c) summands[c] = residual[c];
    float results[16];
    store_sixteen(results, sums, residual ? summands : nullptr);
    if (used == 8 && !to_float_)
      __builtin_memcpy(out, results, 8);
    else
      __builtin_memcpy(out, results, static_cast<std::size_t>(used) * (to_float_ ? sizeof(float) : 1));
  }

 private:
  struct Values {
    __m256 at[2];
  };

  QDQ_INT8_INLINE_MEMBER Values values_of(const Sums& sums) const {
    return {{_mm256_fmadd_ps(_mm256_cvtepi32_ps(sums.at[0]), multiplier_[0], offset_[0]),
             _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums.at[1]), multiplier_[1], offset_[1])}};
  }

  QDQ_INT8_INLINE_MEMBER Values with_residual(Values values, const std::uint8_t* residual) const {
    for (int v = 0; v < 2; ++v)
      values.at[v] = _mm256_fmadd_ps(load_bytes_as_floats(residual + 8 * v), residual_multiplier_, values.at[v]);
    return values;
  }

  QDQ_INT8_INLINE_MEMBER void store_sixteen(void* out, const Sums& sums, const std::uint8_t* residual) const {
    Values values = values_of(sums);
    if (residual) values = with_residual(values, residual);
    if (!to_float_) return store_rounded(static_cast<std::uint8_t*>(out), values);
    for (int v = 0; v < 2; ++v)  // the order of the operands keeps NaN, which a scale that is chosen at run time may be
      _mm256_storeu_ps(static_cast<float*>(out) + 8 * v, _mm256_min_ps(high_, _mm256_max_ps(low_, values.at[v])));
  }

  // Clamping rounded and saturated bytes is clamping before rounding: the bounds are whole.
  QDQ_INT8_INLINE_MEMBER void store_rounded(std::uint8_t* out, const Values& values) const {
    const __m128i bytes = rounded_bytes(values.at[0], values.at[1]);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_min_epu8(_mm_max_epu8(bytes, lowest_), highest_));
  }

  bool to_float_;
  __m256 multiplier_[2], offset_[2];
  __m256 low_, high_;
  __m128i lowest_, highest_;  // the same in bytes
  __m256 residual_multiplier_;
};

}  // namespace qdq::runtime::int8::avx2
