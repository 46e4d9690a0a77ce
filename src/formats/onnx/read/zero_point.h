#pragma once
#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// integers - point, of the sizes of the integers: refuses zero points that would make more of them.
inline Node& less_zero_point(const In& in, Node& integers, Node& point) {
  Node& difference = in.call("aten.sub.Tensor", {integers, point});
  if (in.type(difference).sizes != in.type(integers).sizes) in.refuse("zero points that do not fit its input");
  return difference;
}

}  // namespace qdq::onnx
