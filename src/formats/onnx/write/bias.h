#pragma once
#include "formats/onnx/write/emitter.h"

namespace qdq::onnx {

// The argument "bias" of a convolution or linear layer. With SaveOptions::round_biases, a stored bias beside a dequantized input
// and a dequantized weight is a multiple of what their sums count in:
//
//     round(bias / (x_scale * w_scale)) * x_scale * w_scale
Name bias(const Op& op);

}  // namespace qdq::onnx
