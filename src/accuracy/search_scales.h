#pragma once
#include <vector>

#include "accuracy/layer_problem.h"
#include "qdq/observer.h"

namespace qdq {

// Scales of few steps: the ends of the range cost more steps than the few weights there are worth, once the others make up for
// what is clipped.
//
//     for each scale s of the grid:   f = argmin over f in {0.6 ... 1.1} of the loss of round_with_feedback() with f s
//
// Each scale must be that of whole output channels. The range search of Frantar et al.'s GPTQ looks at the error of the weights
// alone; with the loss of the layer's results in its place 4 bits gain about 1 dB at the outputs of ResNet-20.
std::vector<float> search_scales(const LayerProblem& problem, Matmul& matmul);  // f for each of grid.blocks()

// Whether all weights of an output channel share a scale.
bool has_scale_of_rows(const LayerProblem& problem);

// Multiplies the range that `observer` has seen, and with it its scales, by a factor for each. False, and nothing has changed,
// for observers that keep more than the least and the greatest value.
bool stretch_range(Observer& observer, const std::vector<float>& factors);

}  // namespace qdq
