#pragma once
#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// a @ b + bias: a linear where `b`, [K, N], is stored, perhaps as integers behind a dequantize. `bias`: a tensor or None.
Node& matrix_product(const In& in, Node& a, Node& b, const Argument& bias = {});

}  // namespace qdq::onnx
