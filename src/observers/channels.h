#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "observers/kernels.h"
#include "qdq/tensor.h"

namespace qdq {

// The bounds of each channel of a non-empty tensor. `values` are its elements as float32: in memory order when `tensor`
// is dense, in row-major order otherwise.
std::vector<Extremes> channel_extremes(const Tensor& tensor, std::int64_t axis, const float* values);

// Calls fn(channel, values) with the values of each channel in turn, in any order; arguments as above.
void for_each_channel(const Tensor& tensor, std::int64_t axis, const float* values,
                      const std::function<void(std::size_t, std::span<const float>)>& fn);

}  // namespace qdq
