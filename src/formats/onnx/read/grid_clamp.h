#pragma once
#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// The clamp that the kClamp remark of `in` stands for, between dequantize and quantize on the grid of `quantize`: the
// quantize at its end. Null without such a remark.
Node* clamp_of_remark(const In& in, Node& quantize);

}  // namespace qdq::onnx
