#pragma once
// What the quantization kernels share.
#include "ops/call.h"
#include "tensor/dispatch.h"

namespace qdq {

// Throws unless dtype holds all of [quant_min, quant_max].
void check_bounds(const Call& call, std::int64_t quant_min, std::int64_t quant_max, DType dtype);

// A float tensor as integers by torch's rules for NaN and overflow; float8 by rounding.
Tensor to_quantized(const Tensor& values, DType dtype);

// clamp(round(input * (1 / scales)) + zero_points, quant_min, quant_max), still floats; scales and zero points broadcast.
// Undefined zero_points are 0. Float64 scales with dimensions make the result float64.
Tensor quantized_levels(const Call& call, const Tensor& input, const Tensor& scales, const Tensor& zero_points,
                        double quant_min, double quant_max);

// (input - zero_points) * scales, each step in the dtype that torch's promotion gives: integers subtract as integers.
// Undefined zero_points are 0.
Tensor dequantized(const Call& call, const Tensor& input, const Tensor& scales, const Tensor& zero_points);

}  // namespace qdq
