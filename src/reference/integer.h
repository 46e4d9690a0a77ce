#pragma once
#include <optional>

#include "ops/conv.h"
#include "ops/pool.h"
#include "tensor/activation.h"
#include "tensor/integer_math.h"

// The integer engine's ops in plain loops: they define the bits that its kernels give (docs/numerics.md, "The integer engine").
namespace qdq::integer {

// uint8 or int8 values and what they stand for; `grid` counts in bytes (grid_of).
struct Quantized {
  Tensor values;
  Grid grid;
};

// int8, symmetric. [O, C / groups, k...] for a convolution, transposed [C, O / groups, k...]; [O, K] for linear.
struct Weight {
  Tensor values;
  Tensor scales;  // float32, one for each of the O output channels, or one for all
};

// What a result is: `dtype` uint8 or int8 on `grid`, or float32, which has no grid.
struct Result {
  DType dtype = DType::uint8;
  Grid grid;
  Bounds bounds;                              // of the activation in between
  std::optional<Activation> activation = {};  // one that does not clamp: then there are no bounds and no residual
};

// `out_sizes` are those of conv_output_sizes; bias: [O] float32 or undefined; residual: of the result's sizes.
Tensor convolution(const Quantized& input, const Weight& weight, const Tensor& bias, const ConvParams& params,
                   const Shape& out_sizes, const Result& result, const std::optional<Quantized>& residual = {});
// input [..., K]; result [..., O].
Tensor linear(const Quantized& input, const Weight& weight, const Tensor& bias, const Result& result,
              const std::optional<Quantized>& residual = {});
// a [..., M, K] and b [..., K, N] with the same batch dimensions.
Tensor matmul(const Quantized& a, const Quantized& b, const Result& result);
// Probabilities as bytes of `grid`, values of `dtype`: scores float32 [..., N].
Tensor softmax(const Tensor& scores, DType dtype, const Grid& grid);
// softmax(scale * query key + mask) value, the probabilities on `probabilities`, whose dtype is uint8 or int8: query [..., M, D],
// key [..., D, N], value [..., N, F], mask float32 [..., M, N] or undefined.
Tensor attention(const Quantized& query, const Quantized& key, const Quantized& value, double scale, const Tensor& mask,
                 const Result& probabilities, const Result& result);
// torch's scaled_dot_product_attention, its softmax in weights of 16 bits: query [B, H, M, D], key [B, G, N, D], value [B, G, N, F], H a
// multiple of G; mask float32 [B, H, M, N] or undefined. causal: query i sees keys 0..i.
Tensor scaled_dot_product_attention(const Quantized& query, const Quantized& key, const Quantized& value, double scale,
                                    const Tensor& mask, bool causal, const Result& result);
// `sizes` are those of the result, to which a and b are broadcast.
Tensor add(const Quantized& a, const Quantized& b, const Shape& sizes, const Result& result);
Tensor multiply(const Quantized& a, const Quantized& b, const Shape& sizes, const Result& result);
// input [N, C, spatial...]. A window's places beyond the input are no candidates.
Tensor max_pool(const Quantized& input, const PoolParams& params, const Shape& out_sizes);
// ... and count as zeros, or not at all.
Tensor average_pool(const Quantized& input, const PoolParams& params, bool count_include_pad, const Shape& out_sizes,
                    const Result& result);

}  // namespace qdq::integer
