#pragma once
#include "qdq/tensor.h"

namespace qdq::runtime {

// Writes the elements of `from` to `to`: same sizes, any strides and dtypes. Blocked when the two disagree on the
// innermost dimension (NCHW to channels-last, transposes). Overlap is only allowed when the two are the same view.
void copy(const Tensor& from, const Tensor& to);

}  // namespace qdq::runtime
