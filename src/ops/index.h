#pragma once
#include "ops/call.h"

namespace qdq {

// How `self[indices]` reads: the indices in their broadcast form, one per indexed dimension.
struct IndexPlan {
  std::vector<std::int64_t> dims;  // indexed dimensions of self, ascending
  std::vector<Tensor> indices;     // int64, expanded to index_sizes; undefined while planning with meta tensors
  Shape index_sizes;
  std::size_t result_dim = 0;  // where index_sizes stands in the result: in place of adjacent indices, else first
  Shape result_sizes;
};

// Throws InvalidArgumentError for indices that do not fit; a boolean mask counts as its nonzero() and needs real data.
IndexPlan plan_index(const Call& call);

}  // namespace qdq
