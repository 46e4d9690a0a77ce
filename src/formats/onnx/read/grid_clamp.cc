#include "formats/onnx/read/grid_clamp.h"

#include <cmath>

#include "formats/onnx/schema.h"
#include "graph/text_names.h"

namespace qdq::onnx {
namespace {

Argument finite(double bound) { return std::isfinite(bound) ? Argument(bound) : Argument(); }

}  // namespace

Node* clamp_of_remark(const In& in, Node& quantize) {
  const auto bounds = text::find_bounds(in.node.remark(kClamp));
  if (!bounds || !(bounds->first <= bounds->second) || !quantize.is("quantized_decomposed.quantize_per_tensor.default"))
    return nullptr;
  const auto [low, high] = *bounds;
  Argument::List args(quantize.args().begin(), quantize.args().end());
  args[0] = quantize;
  Node& real = in.call("quantized_decomposed.dequantize_per_tensor.default", args);
  if (low == 0 && std::isinf(high))
    args[0] = in.call("aten.relu.default", {real});
  else if (std::isinf(low) || std::isinf(high))
    args[0] = in.call("aten.clamp.default", {real, finite(low), finite(high)});
  else
    args[0] = in.call("aten.hardtanh.default", {real, low, high});
  return &in.call("quantized_decomposed.quantize_per_tensor.default", args);
}

}  // namespace qdq::onnx
