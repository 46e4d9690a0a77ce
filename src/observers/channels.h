#pragma once
#include <cstdint>
#include <vector>

#include "observers/kernels.h"
#include "qdq/tensor.h"

namespace qdq {

// The bounds of each channel of a non-empty tensor. `values` are its elements as float32: in memory order when `tensor`
// is dense, in row-major order otherwise.
std::vector<Extremes> channel_extremes(const Tensor& tensor, std::int64_t axis, const float* values);

}  // namespace qdq
