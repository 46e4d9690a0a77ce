#pragma once
// The parts of the portable set.
#include "runtime/kernels/int8/rescale.h"

namespace qdq::runtime::int8::portable {

extern const GemmKernel kGemm[1];
extern const DepthwiseKernel kDepthwise;

}  // namespace qdq::runtime::int8::portable
