#pragma once
#include <string>

#include "runtime/plan.h"

namespace qdq::runtime {

// A 2d convolution with one filter per channel on channels-last activations.
struct Depthwise {
  Tensor src;                       // [N, C, H, W], channel stride 1
  Tensor weight;                    // [C, 1, kh, kw]
  Tensor bias;                      // [C] or undefined
  Tensor dst;                       // [N, C, oh, ow], channel stride 1
  Shape stride, padding, dilation;  // two each; padding at the end follows from dst's size
};
// The filter has few enough taps.
bool fits_depthwise(const Tensor& weight);
Step depthwise_step(std::string name, const Depthwise& depthwise);

}  // namespace qdq::runtime
