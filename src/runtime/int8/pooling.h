#pragma once
#include <string>

#include "runtime/int8/convolution.h"

namespace qdq::runtime::int8 {

// src and dst: uint8 [N, C, spatial...], channel stride 1; dst without gaps.
struct Pooling {
  Tensor src, dst;
  Window window;
};
// Places beyond the input are no candidates.
Step max_pooling_step(std::string name, const Kernels& kernels, const Pooling& pooling);

struct AverageRescale {
  std::int32_t zero_point;  // of the input: what places beyond it hold
  float multiplier;         // scale of the input / (number of taps * scale of the output)
  float offset;
  float low;
  float high;
};
// Places beyond the input count as zeros.
Step average_pooling_step(std::string name, const Kernels& kernels, const Pooling& pooling,
                          const AverageRescale& rescale);

}  // namespace qdq::runtime::int8
