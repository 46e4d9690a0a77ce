#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/activation.h"

// The inner loops of the integer engine, one file per family and instruction set. Activations are unsigned bytes, weights signed
// ones, sums int32 without saturation; docs/numerics.md, "The integer engine", says what they compute, and every set
// computes the same bits. `channels`, `columns` and `n` count elements; pointers need no alignment unless said so.
namespace qdq::runtime::int8 {

// What becomes of an int32 sum, per column:
//     value = fma(sum, multiplier[column], offset[column]), and with a residual r: fma(r, residual_multiplier, value)
//     bytes: round_half_even(clamp(value, low, high)), low and high whole numbers from 0 to 255; floats: clamp(value, low, high)
// |value| must stay below 2^30 when bytes are made.
struct Rescale {
  const float* multiplier;
  const float* offset;
  float low;
  float high;
  float residual_multiplier;
};

// A tile of a matrix product whose left rows may lie anywhere.
struct GemmTile {
  const std::uint8_t* const* rows;  // [count][taps]: each points to `depth` bytes
  std::int64_t count;               // from 1 to what the kernel takes
  std::int64_t row_stride;          // pointers from row to row
  std::int64_t taps;
  std::int64_t depth;             // a multiple of 4
  const std::int8_t* weights;     // [taps][depth / 4][columns of the kernel][4], 64-byte aligned
  const std::int32_t* start;      // first value of each column's sum
  const std::int32_t* row_start;  // what is added to all sums of each row, or null
  Rescale rescale;                // start and rescale have entries for all columns of the kernel
  const std::uint8_t* residual;   // in the layout of `out`, or null
  void* out;                      // bytes, or floats when `to_float`
  std::int64_t out_stride;        // elements from row to row
  std::int64_t used_columns;      // the last tile of a row is cut off
  bool to_float;
  // Weights of later calls, or null: 64 bytes of them may be fetched with every 4 of depth and group of rows.
  const std::int8_t* ahead;
};
struct GemmKernel {
  std::int64_t columns, rows;  // at most
  std::int64_t rows_together;  // of these; every group of them reads the weights
  void (*run)(const GemmTile&);
};

// Pixels in a row of a convolution with one filter per channel.
struct DepthwiseRun {
  const std::uint8_t* const* taps;  // [quads][width], of the first pixel: each points to `channels` bytes
  std::int64_t step;                // bytes from each tap to that of the next pixel
  std::int64_t pixels;
  std::int64_t quads;
  std::int64_t width;  // 3 or 4 taps in a quad; with 3 the fourth weight is 0
  bool slides;         // width 3: tap i + 1 of a pixel's quad is tap i of its right neighbour's
  std::int64_t channels;
  const std::int8_t* weights;  // [blocks][quads][block][4], 64-byte aligned; 0 for taps beyond the filter
  const std::int32_t* start;   // this and rescale: [blocks * block], channels in the kernel's order
  Rescale rescale;
  std::uint8_t* out;
  float* floats;            // results go here instead if it is not null, in whole blocks
  std::int64_t out_stride;  // elements from pixel to pixel
};
struct DepthwiseKernel {
  std::int64_t block;                          // channels that are computed together
  std::int64_t (*channel)(std::int64_t lane);  // which channel of a block lies in a lane of weights, start, and rescale
  void (*run)(const DepthwiseRun&);
};

// A tile of results of a convolution with 3 x 3 taps and stride 1, m x m of them in the columns of the kernel, from the n x n sums of
// products that stand for them, n = m + 2 (docs/numerics.md, "Winograd").
struct WinogradResults {
  const std::int32_t* sums;  // [n * n][stride], 64-byte aligned
  std::int64_t stride;
  const std::int32_t* start;  // this and rescale: of all columns
  Rescale rescale;
  void* const* out;                     // [m * m]: bytes, or floats when `to_float`; null beyond the output
  const std::uint8_t* const* residual;  // null, or for each of `out` as many bytes
  std::int64_t used_columns;
  bool to_float;
};
struct WinogradTile {
  std::int64_t results;  // m
  std::int64_t factor;   // sums times this must fit int32
  // words[n * n][stride] from n x n pixels, which point to `channels` bytes, a multiple of 4.
  void (*transform)(std::int16_t* words, std::int64_t stride, const std::uint8_t* const* pixels, std::int64_t channels);
  // Row `row` of the same for filters: words[n][stride], of each [pairs][columns][2], from [pairs][9][columns][2] bytes.
  void (*transform_filters)(std::int16_t* words, std::int64_t stride, const std::int8_t* filters, std::int64_t pairs,
                            std::int64_t row);
  void (*finish)(const WinogradResults&);
};
// sums[rows][columns] = words[rows][depth] times weights [depth / 2][columns][2], sums and weights 64-byte aligned.
struct WinogradProduct {
  std::int32_t* sums;
  const std::int16_t* words;
  std::int64_t words_stride;
  const std::int16_t* weights;
  std::int64_t rows;
  std::int64_t depth;  // even
  bool adds;           // to what the sums are already
};
// Sets whose multiply-adds take words anyway make up for that with fewer products. All in whole numbers modulo 2^32.
struct WinogradKernel {
  std::int64_t columns;  // output channels that are computed together
  std::span<const WinogradTile> tiles;
  void (*multiply)(const WinogradProduct&);
};

// out = round_half_even(clamp(fma(a, a_multiplier, fma(b, b_multiplier, offset)), low, high)), all of it finite
struct Addition {
  float a_multiplier;
  float b_multiplier;
  float offset;
  float low;
  float high;
};

// out = round_half_even(clamp(fma((a - a_zero) * (b - b_zero), multiplier, offset), low, high)), the product
// exact, all of it finite
struct Multiplication {
  std::int32_t a_zero;
  std::int32_t b_zero;
  float multiplier;
  float offset;
  float low;
  float high;
};

// What becomes of a float result a = activation(value):
//     round_half_even(clamp(a * inverse_scale, low - zero_point, high - zero_point)) + zero_point
struct ActivationRescale {
  Activation activation;
  float inverse_scale;
  float zero_point;
  float low;
  float high;
};

// What becomes of e = exp(score - the largest score) in a row whose e add up to `total`:
//     round_half_even(clamp(e * (inverse_scale / total), low - zero_point, high - zero_point)) + zero_point
struct ProbabilityRescale {
  float inverse_scale;
  float zero_point;
  float low;
  float high;
};

// What becomes of the products of a row's values with the upper and the lower bytes of its weights: v = fma(upper, 256, lower), then
//     value = fma(v, multiplier, offset)
//     bytes: round_half_even(clamp(value, low, high)); floats: clamp(value, low, high)
struct WeightRescale {
  float multiplier;
  float offset;
  float low;
  float high;
};

struct Kernels {
  std::string_view isa;              // "portable", "avx2", "avx512_vnni"
  std::span<const GemmKernel> gemm;  // the widest first
  const DepthwiseKernel* depthwise;
  const WinogradKernel* winograd;  // null where it would be slower

  void (*add)(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n,
              const Addition& addition);
  void (*multiply)(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n,
                   const Multiplication& multiplication);
  // `rows` rows of `columns` elements, whose strides count elements.
  void (*activate)(std::uint8_t* out, std::int64_t out_stride, const float* values, std::int64_t value_stride,
                   std::int64_t rows, std::int64_t columns, const ActivationRescale& rescale);
  void (*look_up)(std::uint8_t* out, const std::uint8_t* a, std::int64_t n, const std::uint8_t* table);  // table[256]
  void (*flip)(std::uint8_t* out, const std::uint8_t* a,
               std::int64_t n);  // int8 as a byte that is 128 larger, and back
  // out[pixel][channel] = planes[channel * plane_stride + pixel]
  void (*interleave)(std::uint8_t* out, const std::uint8_t* planes, std::int64_t plane_stride, std::int64_t channels,
                     std::int64_t pixels);
  // Over `taps` rows of `channels` bytes.
  void (*max)(std::uint8_t* out, const std::uint8_t* const* rows, std::int64_t taps, std::int64_t channels);
  // fma(start + sum over the rows, multiplier, offset), clamped and rounded as above.
  void (*average)(std::uint8_t* out, const std::uint8_t* const* rows, std::int64_t taps, std::int64_t channels,
                  std::int32_t start, float multiplier, float offset, float low, float high);

  // The right side of a product [depth, columns], its elements b[k * depth_stride + c * column_stride], for a kernel of `width`
  // columns: out [ceil(depth / 4)][width][4] holds bytes 128 smaller and zeros elsewhere. Adds each column's to sums[c].
  void (*pack)(std::int8_t* out, std::int32_t* sums, const std::uint8_t* b, std::int64_t depth,
               std::int64_t depth_stride, std::int64_t columns, std::int64_t column_stride, std::int64_t width);
  std::int32_t (*sum)(const std::uint8_t* a, std::int64_t n);
  // Widens [*low, *high] to all values; both become NaN if one of them is.
  void (*range)(const float* a, std::int64_t n, float* low, float* high);
  // round_half_even(clamp(a * inverse_scale, low - zero_point, high - zero_point)) + zero_point in double, as quantize computes it with
  // a tensor of scales.
  void (*quantize)(std::uint8_t* out, const float* a, std::int64_t n, double inverse_scale, double zero_point,
                   double low, double high);
  // Softmax of each of `rows` rows of n scores + its mask; the scores are overwritten. Strides count elements; `masks` points to a row
  // for each, or is null. total: lane l of 16 adds elements l, l + 16 ..., then lanes 8 apart are added, 4 apart, 2 apart, 1 apart. A
  // row without a score above -infinity gives the byte of `low`.
  void (*softmax)(std::uint8_t* out, std::int64_t out_stride, float* scores, std::int64_t score_stride,
                  const float* const* masks, std::int64_t rows, std::int64_t n, const ProbabilityRescale& rescale);
  // The same as weights of 16 bits, round_half_even(65535 * exp(score - the largest score)), and their sum in totals[row]. A row without a
  // score above -infinity gives zeros. n is at most 32768.
  void (*weigh)(std::uint8_t* upper, std::uint8_t* lower, std::int64_t out_stride, std::int32_t* totals, float* scores,
                std::int64_t score_stride, const float* const* masks, std::int64_t rows, std::int64_t n);
  // out: n bytes, or floats when `to_float`.
  void (*join)(void* out, bool to_float, const float* upper, const float* lower, std::int64_t n,
               const WeightRescale& rescale);
};

// The best set for this machine, or the one that the environment variable QDQ_ISA names. Throws InvalidArgumentError when the
// machine does not have that one.
const Kernels& kernels();
// All sets that run on this machine, the portable one first.
std::span<const Kernels* const> all_kernels();

// The sets' parts. A set may only be called where the processor supports it.
namespace portable {
extern const Kernels kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512_vnni {
extern const Kernels kKernels;
}
#endif

}  // namespace qdq::runtime::int8
