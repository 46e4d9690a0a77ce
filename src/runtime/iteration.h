#pragma once
#include <array>
#include <cstdint>

#include "qdq/tensor.h"

namespace qdq::runtime {

// The loops over one or more tensors of the same sizes, reordered and merged: dimensions of size 1 are gone, the
// innermost one has the smallest stride of the first tensor, neighbours that are contiguous in all tensors are one.
// Element strides; dims[0] is the outermost. At least one dimension.
template <std::size_t N>
struct Loops {
  std::vector<std::int64_t> sizes;
  std::array<std::vector<std::int64_t>, N> strides;
  std::size_t rank() const { return sizes.size(); }
};

template <std::size_t N>
Loops<N> merge_loops(const Shape& sizes, const std::array<const Shape*, N>& strides) {
  std::vector<std::size_t> order;
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] != 1) order.push_back(d);
  // Stable insertion by the first tensor's stride, largest first; ties are broken by the second tensor.
  for (std::size_t i = 1; i < order.size(); ++i)
    for (std::size_t j = i; j > 0; --j) {
      const std::size_t outer = order[j - 1];
      const std::size_t inner = order[j];
      bool swap = false;
      for (std::size_t k = 0; k < N; ++k) {
        if ((*strides[k])[outer] == (*strides[k])[inner]) continue;
        swap = (*strides[k])[outer] < (*strides[k])[inner];
        break;
      }
      if (!swap) break;
      std::swap(order[j - 1], order[j]);
    }
  Loops<N> loops;
  for (std::size_t d : order) {
    bool mergeable = !loops.sizes.empty();
    for (std::size_t k = 0; k < N && mergeable; ++k) mergeable = loops.strides[k].back() == (*strides[k])[d] * sizes[d];
    if (mergeable) {
      loops.sizes.back() *= sizes[d];
      for (std::size_t k = 0; k < N; ++k) loops.strides[k].back() = (*strides[k])[d];
    } else {
      loops.sizes.push_back(sizes[d]);
      for (std::size_t k = 0; k < N; ++k) loops.strides[k].push_back((*strides[k])[d]);
    }
  }
  if (loops.sizes.empty()) {
    loops.sizes.push_back(1);
    for (auto& s : loops.strides) s.push_back(1);
  }
  return loops;
}

// Calls fn(offset_0, ..., offset_{N-1}) for every index of the first `outer` dimensions.
template <std::size_t N, typename Fn>
void for_each_outer(const Loops<N>& loops, std::size_t outer, Fn&& fn) {
  std::array<std::int64_t, N> offset{};
  std::vector<std::int64_t> index(outer, 0);
  for (std::size_t d = 0; d < outer; ++d)
    if (loops.sizes[d] == 0) return;
  while (true) {
    fn(offset);
    std::size_t d = outer;
    while (true) {
      if (d == 0) return;
      --d;
      for (std::size_t k = 0; k < N; ++k) offset[k] += loops.strides[k][d];
      if (++index[d] < loops.sizes[d]) break;
      for (std::size_t k = 0; k < N; ++k) offset[k] -= loops.strides[k][d] * loops.sizes[d];
      index[d] = 0;
    }
  }
}

}  // namespace qdq::runtime
