#pragma once
#include "accuracy/layer_problem.h"

namespace qdq {

// GPTQ's rounding: one input after the other, in the order of falling H_jj; what rounding it costs is made up for by those
// that follow. With H = R R^T, R upper triangular, and e = T - W_q
//
//     w_q,j = nearest(t_j + sum_{i < j} e_i R_ij / R_jj)
//
// which is algorithm 1 of Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
// Transformers", ICLR 2023, written without the inverse of H. Returns the weights, [groups * rows, columns].
Tensor round_with_feedback(const LayerProblem& problem);

}  // namespace qdq
