#pragma once
#include "ops/call.h"

namespace qdq {

// An einsum as nested loops: one loop per label, those of the result first, the summed ones after them. Operand k steps
// by strides[k][l] elements when label l grows by one: the sum of its strides in the dimensions of that label, 0 where
// it is broadcast.
struct EinsumPlan {
  Shape sizes;  // of the loops
  std::size_t result_rank = 0;
  std::vector<Shape> strides;

  Shape result_sizes() const { return {sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(result_rank)}; }
};

// Reads the argument "equation" as torch.einsum does: letters, "..." for dimensions that broadcast, spaces ignored;
// without "->" the result has the dimensions of "..." and then, in alphabetical order, the letters that occur once.
// Throws InvalidArgumentError, naming the node, for an equation that does not fit the tensors.
EinsumPlan plan_einsum(const Call& call, const std::vector<Tensor>& tensors);

}  // namespace qdq
