#pragma once
#include <optional>
#include <string>

#include "runtime/elementwise.h"

// Float functions of rows with bytes at their edges: a row is dequantized, computed and quantized while it is in the first-level cache,
// each by the kernel that would do it alone, and so with the same bits.
namespace qdq::runtime::int8 {

// Rows [R, n], contiguous: float32, or uint8 with what its bytes stand for.
struct Rows {
  Tensor tensor;
  std::optional<AffineParams> params = {};  // of uint8
};
Step layer_norm_step(std::string name, const Rows& src, const Tensor& gamma, const Tensor& beta, const Rows& dst,
                     float eps);
Step softmax_step(std::string name, const Rows& src, const Rows& dst);

}  // namespace qdq::runtime::int8
