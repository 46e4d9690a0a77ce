#include "accuracy/refine_rounding.h"

#include <cmath>

#include "qdq/interrupt.h"
#include "runtime/parallel.h"

namespace qdq {
namespace {

// One row of weights; `gradient` is (W - T) H of that row and is kept so. Returns whether anything changed.
bool sweep(const LayerProblem& problem, const Tensor& hessian, std::int64_t row, float* weight, float* gradient) {
  const std::int64_t n = problem.columns;
  const float* h = hessian.data<float>();
  bool changed = false;
  for (std::int64_t j = 0; j < n; ++j) {
    const float* line = h + j * n;
    const float wanted = problem.grid->nearest(row * n + j, weight[j] - gradient[j] / line[j]);
    const float step = wanted - weight[j];
    // Less than that is the rounding of the sums, not a better value.
    if (std::abs(step) < 0.5F * problem.grid->scale(row * n + j)) continue;
    weight[j] = wanted;
    for (std::int64_t k = 0; k < n; ++k) gradient[k] += step * line[k];
    changed = true;
  }
  return changed;
}

}  // namespace

void refine_rounding(const LayerProblem& problem, const Tensor& weight, int sweeps, Matmul& matmul) {
  const std::int64_t n = problem.columns;
  const Tensor error = weight.clone();
  for (std::int64_t i = 0; i < error.numel(); ++i) error.data<float>()[i] -= problem.target.data<float>()[i];
  for (std::int64_t g = 0; g < problem.groups(); ++g) {
    check_interrupt();
    const Tensor& hessian = problem.hessians[static_cast<std::size_t>(g)];
    const Tensor gradients = matmul(problem.group_rows(error, g).contiguous(), hessian);
    runtime::parallel_for(problem.rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const std::int64_t row = g * problem.rows + r;
        for (int i = 0; i < sweeps; ++i)
          if (!sweep(problem, hessian, row, weight.data<float>() + row * n, gradients.data<float>() + r * n)) break;
      }
    });
  }
}

}  // namespace qdq
