#pragma once
#include <string>

#include "qdq/dtype.h"
#include "runtime/kernels/int8/int8_kernels.h"
#include "runtime/plan.h"

namespace qdq::runtime::int8 {

// Quantization whose scale and zero point follow from the values of each run.
struct DynamicQuantization {
  std::int64_t quant_min, quant_max;
  float eps;
  DType dtype;  // uint8, or int8, whose bytes are 128 larger
  bool symmetric;
};
// a: float32, dense. bytes: uint8 of the same sizes and strides. params: float64 [2], the scale and the byte of 0.
Step dynamic_quantize_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& bytes,
                           const Tensor& params, const DynamicQuantization& quantization);

}  // namespace qdq::runtime::int8
