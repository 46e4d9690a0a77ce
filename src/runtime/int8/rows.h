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

// What becomes of the results of a row, in float32 and as bytes; one of them may be undefined.
struct RowResults {
  Tensor values;
  Rows bytes;
};

// Of src, or of src + addend.
struct LayerNorm {
  Rows src;
  Tensor addend;       // float32 [R, n], contiguous, or undefined
  Tensor sum;          // where src + addend is written for other readers, or undefined
  Tensor gamma, beta;  // float32 [n], contiguous, or undefined
  float eps;
  RowResults results;
};
Step layer_norm_step(std::string name, const LayerNorm& norm);
Step softmax_step(std::string name, const Rows& src, const RowResults& results);

}  // namespace qdq::runtime::int8
