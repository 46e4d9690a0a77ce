#pragma once
#include <variant>

#include "qdq/tensor.h"
#include "tensor/activation.h"

namespace qdq::runtime {

// Adds a tensor, or multiplies by one, of the result's sizes and strides.
struct ElementwisePostOp {
  enum class Kind : std::uint8_t { add, mul };
  Kind kind = Kind::add;
  Tensor operand;
};

// Work done on a convolution's or matmul's results before they are stored.
using PostOp = std::variant<Activation, ElementwisePostOp>;

// The tensor that the work reads, or an undefined one.
inline Tensor operand_of(const PostOp& post_op) {
  const auto* elementwise = std::get_if<ElementwisePostOp>(&post_op);
  return elementwise ? elementwise->operand : Tensor();
}

}  // namespace qdq::runtime
