#pragma once
#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// `x` in another dtype. In float8, what is too large becomes the largest number, unless the attribute `saturate` of the node is 0.
Node& cast(const In& in, Node& x, DType dtype);

}  // namespace qdq::onnx
