#pragma once
#include <span>

#include "ops/call.h"

namespace qdq {

// The parameters of any convolution op in one form; one entry per spatial dimension.
struct ConvParams {
  Shape stride;
  Shape padding;        // before the first element
  Shape padding_after;  // behind the last; differs from `padding` for padding="same" with an even kernel
  Shape dilation;
  Shape output_padding;
  std::int64_t groups = 1;
  bool transposed = false;
};

// Throws InvalidArgumentError, naming the node, for parameters that do not fit the weight.
ConvParams conv_params(const Call& call);
// Sizes of the result for an input [N, C, spatial...]. Same errors.
Shape conv_output_sizes(const Call& call, const ConvParams& params, std::span<const std::int64_t> input);

}  // namespace qdq
