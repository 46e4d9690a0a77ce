#pragma once
#include <memory>
#include <vector>

#include "runtime/int8/convolution.h"

// A transposed convolution as convolutions of stride 1. Outputs a stride apart read the same taps, from inputs side by side: here with a
// kernel of 4, stride 2 and padding 1,
//
//     outputs 0, 2, 4 ...    taps 3 and 1 of inputs -1 and 0, 0 and 1, 1 and 2 ...
//     outputs 1, 3, 5 ...    taps 2 and 0 of inputs  0 and 1, 1 and 2, 2 and 3 ...
//
// Each output is computed once, and no tap meets the zeros that lie between the inputs in the textbook's picture.
namespace qdq::runtime::int8 {

// The convolution of the outputs first + i * stride.
struct Phase {
  Shape first, stride;
  Window window;
  std::shared_ptr<const PackedWeights> weights;
};

// weight: int8 [C, O / groups, k...]; `window` is that of the transposed convolution. In two dimensions with
// stride 2 these are four phases.
std::vector<Phase> phases_of(const Kernels& kernels, const Tensor& weight, std::int64_t groups, const Window& window);

// `whole` says how all outputs are computed, but for its weights and window. The result of a phase that no output belongs to is empty.
Convolution part_of(const Convolution& whole, const Phase& phase);

}  // namespace qdq::runtime::int8
