#pragma once
#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// The convolution that the attributes of a node describe, whose inputs 0 and `weight_at` have the sizes of `input` and `weight`.
// `bias`: a tensor or None.
Node& convolution(const In& in, Node& input, Node& weight, std::size_t weight_at, const Argument& bias);

}  // namespace qdq::onnx
