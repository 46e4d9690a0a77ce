#pragma once
#include <cstdint>

#include "tensor/activation.h"

namespace qdq::runtime {

enum class UnaryOp : std::uint8_t {
  exp,
  erf,
  neg,
  abs,
  sqrt,
  rsqrt,
  reciprocal,
  square,
};

enum class BinaryOp : std::uint8_t { add, sub, mul, div, maximum, minimum };

// The vectorised loops, compiled once per instruction set. All pointers are to float32 unless typed otherwise and need
// no alignment; `n` counts elements. An output may be one of the inputs, not overlap one in part.
struct Kernels {
  const char* isa;
  void (*activate)(const Activation& activation, float* out, const float* a, std::int64_t n);
  void (*unary)(UnaryOp op, float* out, const float* a, std::int64_t n);
  // a_step and b_step are 0 (one value for all) or 1. out = a op (alpha * b); alpha is used by add and sub.
  void (*binary)(BinaryOp op, float* out, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                 std::int64_t n, float alpha);
  void (*softmax)(float* out, const float* a, std::int64_t n);
  void (*log_softmax)(float* out, const float* a, std::int64_t n);
  // gamma and beta may be null.
  void (*layer_norm)(float* out, const float* a, const float* gamma, const float* beta, std::int64_t n, float eps);
  float (*sum)(const float* a, std::int64_t n);
  // out[i] = a[i] * scale[i] + shift[i]
  void (*scale_shift)(float* out, const float* a, const float* scale, const float* shift, std::int64_t n);
  // One pixel of a depthwise convolution: out[c] = bias[c] + sum over t of src[t][c] * weight[t][c], fused multiply-adds in
  // the order of the taps. bias may be null.
  void (*depthwise)(float* out, const float* bias, const float* const* src, const float* const* weight,
                    std::int64_t taps, std::int64_t channels);
  // quantized_decomposed.quantize_per_tensor: clamp(round(a * inverse_scale) + zero_point, quant_min, quant_max), ties to
  // even. quant_min and quant_max must be within +-2^20.
  void (*quantize_u8)(std::uint8_t* out, const float* a, std::int64_t n, float inverse_scale, std::int32_t zero_point,
                      float quant_min, float quant_max);
  void (*quantize_i8)(std::int8_t* out, const float* a, std::int64_t n, float inverse_scale, std::int32_t zero_point,
                      float quant_min, float quant_max);
  // (q - zero_point) * scale
  void (*dequantize_u8)(float* out, const std::uint8_t* a, std::int64_t n, float scale, std::int32_t zero_point);
  void (*dequantize_i8)(float* out, const std::int8_t* a, std::int64_t n, float scale, std::int32_t zero_point);
  // Groups of `group` elements with a scale and a zero point each; zero_point may be null.
  void (*dequantize_groups)(float* out, const std::int8_t* a, const float* scale, const float* zero_point,
                            std::int64_t groups, std::int64_t group);
  // The sum of x[i] times what dequantize_groups makes of a[i].
  float (*dot_groups)(const float* x, const std::int8_t* a, const float* scale, const float* zero_point,
                      std::int64_t groups, std::int64_t group);
};

// The best set for this machine.
const Kernels& kernels();
// All sets that run on this machine, the plain one first: for tests.
const Kernels* const* all_kernels(int* count);

}  // namespace qdq::runtime
