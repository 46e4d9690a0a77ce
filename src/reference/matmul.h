#pragma once
#include "reference/eval.h"

namespace qdq {

// The product of two tensors of one dtype, as torch.matmul: vectors gain a dimension and lose it again, leading
// dimensions broadcast. Sums are kept in double (int64 for integers).
Tensor matmul(const Call& call, const Tensor& a, const Tensor& b);

}  // namespace qdq
