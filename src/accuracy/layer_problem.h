#pragma once
#include <cstdint>
#include <vector>

#include "accuracy/matmul.h"
#include "accuracy/weight_grid.h"
#include "accuracy/weighted_layers.h"

namespace qdq {

// Which weights on the grid keep a layer's results on the inputs X that it is going to get, each channel's mean aside, which
// its bias takes. For each group, with n rows and means removed,
//
//     minimize  tr((W_q - T) H (W_q - T)^T),     H = X^T X / n + damping,     T = W
//
// which is ||X W^T - X W_q^T||^2 / n. Fitting float results on float inputs instead would make up for the noise of
// quantized inputs by smaller weights, layer after layer.
struct LayerProblem {
  std::int64_t rows = 0;             // output channels of a group
  std::int64_t columns = 0;          // inputs of an output
  std::vector<Tensor> hessians;      // for each group [columns, columns], float32
  Tensor target;                     // [groups * rows, columns], float32
  std::vector<double> means;         // of the inputs: [groups * columns]
  const WeightGrid* grid = nullptr;  // by elements of `target`

  // The sum over all groups of what is minimized.
  double loss(const Tensor& weight, Matmul& matmul) const;
  std::int64_t groups() const { return static_cast<std::int64_t>(hessians.size()); }
  Tensor group_rows(const Tensor& matrix, std::int64_t group) const { return matrix.narrow(0, group * rows, rows); }
};

// `inputs`: a tensor for each batch. `damping`: relative to the mean of H's diagonal.
LayerProblem layer_problem(const Node& layer, const Tensor& weight, const WeightGrid& grid,
                           const std::vector<Tensor>& inputs, double damping, Matmul& matmul);

// By how much W_q shifts the mean of each output channel: E[W x] - E[W_q x]. `weight` is W_q, [groups * rows, columns].
std::vector<double> mean_shift(const LayerProblem& problem, const Tensor& weight);

}  // namespace qdq
