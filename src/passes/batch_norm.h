#pragma once
#include "qdq/program.h"

namespace qdq {

// What the passes that fold batch norms share.

// aten.batch_norm, or the one that export leaves of it in evaluation.
bool is_foldable_batch_norm(const Node& node);
bool is_transposed(const Node& conv);

// The weight and the bias of an op with its batch norm folded in:
//
//     k = gamma / sqrt(var + eps);   weight' = weight * k (along the output channels);   bias' = (bias - mean) * k + beta
//
// Both have the dtype of what they replace, a new bias that of the weight; of meta tensors they are meta tensors.
struct FoldedTensors {
  Tensor weight;
  Tensor bias;
};

// `op` is the convolution or linear before `bn`; `weight` and `bias` (null: none) are the get_attr nodes of its parameters.
// Absent gamma and beta count as ones and zeros. Throws InvalidArgumentError when a statistic is no parameter or buffer, or
// has another number of values than the op has channels; `pass` is named in the message.
FoldedTensors fold_batch_norm(const Program& program, const Node& op, const Node& weight, const Node* bias,
                              const Node& bn, std::string_view pass);

// Gives an op without bias the attribute `name`: a get_attr in front of it that becomes its third argument.
void set_bias(Program& program, Node& op, const std::string& name);

}  // namespace qdq
