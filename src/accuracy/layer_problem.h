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
// which is ||X W^T - X W_q^T||^2 / n. aim_at() moves T.
struct LayerProblem {
  std::int64_t rows = 0;              // output channels of a group
  std::int64_t columns = 0;           // inputs of an output
  std::vector<Tensor> hessians = {};  // for each group [columns, columns], float32
  Tensor target = {};                 // [groups * rows, columns], float32
  std::vector<double> means = {};     // of the inputs: [groups * columns]
  std::vector<double> missing = {};   // what the results with T lack in the mean: [groups * rows], or empty for nothing
  const WeightGrid* grid = nullptr;   // by elements of `target`

  // What is minimized, of each output channel.
  std::vector<double> losses(const Tensor& weight, Matmul& matmul) const;
  std::int64_t groups() const { return static_cast<std::int64_t>(hessians.size()); }
  Tensor group_rows(const Tensor& matrix, std::int64_t group) const { return matrix.narrow(0, group * rows, rows); }
};

// `inputs`: a tensor for each batch. `damping`: relative to the mean of H's diagonal.
LayerProblem layer_problem(const Node& layer, const Tensor& weight, const WeightGrid& grid,
                           const std::vector<Tensor>& inputs, double damping, Matmul& matmul);

// Moves T to where the layer makes of X what is wanted of it, Y, rather than what its float weights do: those errors of the
// layers before it that show in X are made up for. For each group, with means removed,
//
//     T = W + (Y - X W^T)^T X / n (H + ridge)^-1     which minimizes ||Y - X T^T||^2 / n + ridge ||T - W||^2
//
// The ridge keeps the layer from learning the noise of few rows, and from smaller weights in answer to the noise of its inputs.
// Asymmetric reconstruction of Nagel et al. 2020, equation 25, in closed form; Li et al., "GPTAQ: Efficient Finetuning-Free
// Quantization for Asymmetric Calibration", ICML 2025, has it with error feedback.
//   bias: of the layer, [groups * rows]; inputs: as above; wanted: results for each of them.
void aim_at(LayerProblem& problem, const Node& layer, const Shape& weight_sizes, const Tensor& bias,
            const std::vector<Tensor>& inputs, const std::vector<Tensor>& wanted, Matmul& matmul);

// What the bias has to take: E[y] - E[W_q x] with y what is wanted, bias aside. `weight` is W_q, [groups * rows, columns].
std::vector<double> mean_shift(const LayerProblem& problem, const Tensor& weight);

}  // namespace qdq
