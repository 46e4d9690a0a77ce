#pragma once
#include "accuracy/layer_problem.h"

namespace qdq {

// Coordinate descent from weights on the grid: every weight in turn takes the value of the grid that is best given all others,
//
//     w_j = nearest(w_j - ((W - T) H)_j / H_jj)
//
// until a sweep changes nothing, or the last one. The loss never rises. As in Behdin et al., "QuantEase: Optimization-based
// Quantization for Language Models", 2023. `weight`, [groups * rows, columns], is changed.
void refine_rounding(const LayerProblem& problem, const Tensor& weight, int sweeps, Matmul& matmul);

}  // namespace qdq
