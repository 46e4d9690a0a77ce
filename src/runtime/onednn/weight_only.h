#pragma once
#include <string>

#include "runtime/plan.h"

namespace qdq::runtime::onednn {

// dst[M, N] = src[M, K] * ((values - zero_points) * scales)[N, K]^T + bias[N], without the float weight in memory: a few rows of it at
// a time, or none.
struct WeightOnlyLinear {
  Tensor src;          // float32 [M, K], rows without gaps
  Tensor values;       // int8 [N, K], contiguous
  Tensor scales;       // float32 [N, G], contiguous: one for each group of K / G inputs
  Tensor zero_points;  // float32 [N, G], contiguous, or undefined for zeros
  Tensor bias;         // float32 [N], or undefined
  Tensor dst;          // float32 [M, N], contiguous
};
Step weight_only_linear_step(std::string name, const WeightOnlyLinear& linear);

}  // namespace qdq::runtime::onednn
