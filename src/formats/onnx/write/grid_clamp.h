#pragma once
#include "ops/clamp.h"

namespace qdq::onnx {

// A clamp whose result returns to the grid of its input: to the integers it is a clamp, as quantization is monotonic.
//
//     %q = quantize(%x)   %d = dequantize(%q)   %c = hardtanh(%d, 0, 6)   %r = quantize(%c)      all with the same parameters
struct GridClamp {
  const Node* before = nullptr;    // %q
  const Node* quantize = nullptr;  // %r
  ClampBounds bounds;
};

// The clamp that ends in `quantize`; nothing where there is none, or where one of its values is read elsewhere too.
std::optional<GridClamp> clamp_in_front_of(const Node& quantize);
// The clamp that begins with `quantize`, as its only reader.
std::optional<GridClamp> clamp_behind(const Node& quantize);

}  // namespace qdq::onnx
