#pragma once
#include <vector>

#include "ops/call.h"

namespace qdq {

// A call on constants, for fold_constants: quantizing float32 weights along their first dimension to bytes by the
// vectorised kernels, everything else by the reference. The bits are the reference's.
std::vector<Value> evaluate_constant(const Call& call);

}  // namespace qdq
