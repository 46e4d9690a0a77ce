#pragma once
#include <vector>

#include "ops/call.h"

namespace qdq {

// Tensors, and the dimension along which they are put together.
struct Pieces {
  std::vector<Tensor> tensors;
  std::int64_t dim;
};

// Of cat, and of the ops that first give each tensor more dimensions: hstack, vstack and dstack.
//
//     hstack  [a] -> [a], cat along 0; [a, b] -> [a, b], cat along 1
//     vstack  [a] -> [1, a], cat along 0
//     dstack  [a] -> [1, a, 1], [a, b] -> [a, b, 1], cat along 2
//
// Empty tensors of one dimension are dropped: cat skips them whatever the others look like. Throws when the tensors do not fit beside
// the dimension.
Pieces pieces_of(const Call& call);

}  // namespace qdq
