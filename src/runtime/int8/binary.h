#pragma once
#include <string>

#include "runtime/kernels/int8/int8_kernels.h"
#include "runtime/plan.h"

// Steps on two uint8 tensors, element by element. a and b have the sizes of `out`, with strides of 0 where they are broadcast; out is
// dense and not empty.
namespace qdq::runtime::int8 {

Step addition_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& b, const Tensor& out,
                   const Addition& addition);
Step multiplication_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& b, const Tensor& out,
                         const Multiplication& multiplication);

}  // namespace qdq::runtime::int8
