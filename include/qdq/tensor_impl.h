#pragma once
// Templates of tensor.h.
#include <array>
#include <cstring>

#include "qdq/error.h"

namespace qdq {

template <typename T>
Tensor Tensor::from(std::span<const T> values, Shape sizes) {
  Tensor result = empty(dtype_of<T>(), std::move(sizes));
  if (static_cast<std::int64_t>(values.size()) != result.numel())
    throw InvalidArgumentError("Tensor::from: " + std::to_string(values.size()) + " values for sizes " +
                               to_string(result.sizes()));
  if (!values.empty()) std::memcpy(result.raw_data(), values.data(), values.size_bytes());
  return result;
}

template <std::size_t N, typename Fn>
void for_each_offset(std::span<const std::int64_t> sizes, const std::array<const Shape*, N>& strides, Fn&& fn) {
  const std::size_t rank = sizes.size();
  for (std::int64_t s : sizes)
    if (s == 0) return;
  std::array<std::int64_t, N> offset{};
  std::vector<std::int64_t> index(rank, 0);
  while (true) {
    std::apply([&](auto... o) { fn(o...); }, offset);
    std::size_t d = rank;
    while (d > 0) {
      --d;
      for (std::size_t k = 0; k < N; ++k) offset[k] += (*strides[k])[d];
      if (++index[d] < sizes[d]) break;
      for (std::size_t k = 0; k < N; ++k) offset[k] -= (*strides[k])[d] * sizes[d];
      index[d] = 0;
      if (d == 0) return;
    }
    if (rank == 0) return;
  }
}

}  // namespace qdq
