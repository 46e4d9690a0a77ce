#pragma once
#include <string>

#include "runtime/plan.h"

// Steps that work along one or more dimensions. Float32.
namespace qdq::runtime {

// Along the last dimension, which must be contiguous in `a` and `out`; other dimensions in any order. out may be a.
Step softmax_step(std::string name, const Tensor& a, const Tensor& out, bool log);
// Over the last dimension of a and out, both [rows, n] contiguous along n. gamma and beta: [n] contiguous, or undefined.
Step layer_norm_step(std::string name, const Tensor& a, const Tensor& gamma, const Tensor& beta, const Tensor& out,
                     float eps);
// out = scale * sum of a over the dimensions in which out has stride 0: pass out expanded to a's sizes.
Step sum_step(std::string name, const Tensor& a, const Tensor& out_expanded, float scale);
// out[i, :] = table[index[i], :]; index int64 or int32. Throws InvalidArgumentError, naming the step, for an index outside the table.
Step embedding_step(std::string name, const Tensor& table, const Tensor& index, const Tensor& out);

// Rows that become floats when they are read: (values - zero_points) * scales.
struct QuantizedTable {
  Tensor values;       // int8 or uint8 [rows, width], contiguous
  Tensor scales;       // float32 [rows], contiguous
  Tensor zero_points;  // float32 [rows], contiguous, or undefined for zeros
};
Step quantized_embedding_step(std::string name, const QuantizedTable& table, const Tensor& index, const Tensor& out);

}  // namespace qdq::runtime
