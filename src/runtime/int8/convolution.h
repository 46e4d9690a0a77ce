#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/int8/weights.h"
#include "runtime/plan.h"

namespace qdq::runtime::int8 {

class WinogradWeights;

// Where the taps of a filter lie. One entry per spatial dimension, up to 3.
struct Window {
  Shape kernel, stride, padding, dilation;  // a negative padding leaves out the first elements
};

// Sums to results, by output channel.
struct ChannelRescale {
  std::vector<float> multiplier;
  std::vector<float> offset;
  float low = 0.0f;
  float high = 0.0f;
  float residual_multiplier = 0.0f;
};

// A convolution, or a linear layer as one without spatial dimensions.
struct Convolution {
  Tensor src;       // uint8 [N, C, spatial...], channel stride 1
  Tensor dst;       // uint8 or float32 [N, O, spatial...], channel stride 1
  Tensor residual;  // uint8 with the sizes and strides of dst, or undefined
  std::shared_ptr<const PackedWeights> weights;
  std::shared_ptr<const WinogradWeights> winograd = nullptr;  // instead of `weights`
  Window window;
  std::uint8_t zero_point = 0;  // what lies beyond the input
  // float64 [2]: the scale of the source, which the multipliers lack then, and its zero point, which stands for zero_point; known at
  // run time. Undefined where both are known before.
  Tensor source_params = {};
  ChannelRescale rescale;
  // The float results become bytes through a function; then there is no residual, and `rescale` does not clamp.
  std::optional<ActivationRescale> activation = {};
};
Step convolution_step(std::string name, const Convolution& convolution);

}  // namespace qdq::runtime::int8
