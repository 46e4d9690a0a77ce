#pragma once
#include <string>

#include "runtime/kernels/int8/int8_kernels.h"
#include "runtime/plan.h"

// Products of two activations.
namespace qdq::runtime::int8 {

// uint8 [..., rows, columns] with any strides, and the byte that stands for 0.
struct Operand {
  Tensor bytes;
  std::int32_t zero_point = 0;
};

// Sums to results: fma(sum, multiplier, offset), clamped to [low, high] and rounded for bytes.
struct TensorRescale {
  float multiplier = 1.0f;
  float offset = 0.0f;
  float low = 0.0f;
  float high = 0.0f;
};

// dst[..., M, N] = a[..., M, K] * b[..., K, N], with the same batch dimensions; a's rows have stride 1, and so have those of
// dst, which is uint8 or float32.
struct Matmul {
  Operand a, b;
  Tensor dst;
  TensorRescale rescale;
};
Step matmul_step(std::string name, const Kernels& kernels, const Matmul& matmul);

}  // namespace qdq::runtime::int8
