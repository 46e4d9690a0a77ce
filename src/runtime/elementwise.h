#pragma once
#include <string>

#include "runtime/kernels/kernels.h"
#include "runtime/plan.h"

// Steps that treat every element alike. Operands have the sizes of `out` (broadcasting by strides of 0) and any strides;
// float32 unless said otherwise. An operand may be `out` itself.
namespace qdq::runtime {

Step activation_step(std::string name, const Activation& activation, const Tensor& a, const Tensor& out);
Step unary_step(std::string name, UnaryOp op, const Tensor& a, const Tensor& out);
Step binary_step(std::string name, BinaryOp op, const Tensor& a, const Tensor& b, const Tensor& out,
                 float alpha = 1.0f);
Step copy_step(std::string name, const Tensor& from, const Tensor& to);  // any dtypes
Step fill_step(std::string name, const Tensor& out, double value);       // any dtype

// out = 0 where the bool `seen` is true, -infinity where it is false.
Step mask_step(std::string name, const Tensor& seen, const Tensor& out);

// out: uint8, int8 or int16.
struct AffineParams {
  double scale;
  std::int32_t zero_point;
  std::int32_t quant_min;
  std::int32_t quant_max;
};
Step quantize_step(std::string name, const Tensor& a, const Tensor& out, const AffineParams& params);
Step dequantize_step(std::string name, const Tensor& a, const Tensor& out, const AffineParams& params);

// `tensor` as a view of `sizes` under torch's broadcasting rules. Throws InvalidArgumentError when they do not allow it.
Tensor broadcast_to(const Tensor& tensor, const Shape& sizes);

}  // namespace qdq::runtime
