#pragma once
#include "accuracy/layer_problem.h"
#include "qdq/accuracy.h"

namespace qdq {

// AdaRound: learns for every weight whether it is rounded up or down. With s the scale, z the zero point and
// h(v) = clamp(1.2 sigmoid(v) - 0.1, 0, 1)
//
//     W(v) = s (clamp(floor(T / s) + h(v) + z) - z)
//     minimize  tr((W(v) - T) H (W(v) - T)^T) / mean(s^2 H_jj) + lambda sum(1 - |2 h(v) - 1|^beta)
//
// over v by Adam, beta falling from 20 to 2 in the last four fifths of the steps and lambda 0 before that; then h is
// rounded. Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020, equations 21 to 25,
// on the layer's second moments instead of samples of them: each step sees all data. Returns the weights,
// [groups * rows, columns]. `start`: weights on the grid, of which the rounding begins.
Tensor round_adaptively(const LayerProblem& problem, const AdaRoundOptions& options, Matmul& matmul);

}  // namespace qdq
