#pragma once
#include "qdq/tensor.h"

namespace qdq::runtime {

// Work done on a convolution's or matmul's results before they are stored.
struct PostOp {
  enum class Kind : std::uint8_t {
    relu,
    clip,
    leaky_relu,
    hardswish,
    hardsigmoid,
    sigmoid,
    silu,
    tanh,
    gelu_erf,
    gelu_tanh,
    add,
    mul,  // with `operand`, of the result's sizes
  };
  Kind kind = Kind::relu;
  float alpha = 0.0f;  // clip: lower bound; leaky_relu: slope
  float beta = 0.0f;   // clip: upper bound
  Tensor operand;
};

}  // namespace qdq::runtime
