#include "accuracy/round_with_feedback.h"

#include <algorithm>
#include <numeric>

#include "accuracy/cholesky.h"
#include "qdq/interrupt.h"

namespace qdq {
namespace {

// The inputs in the order in which they are rounded.
std::vector<std::int64_t> by_falling_diagonal(const Tensor& hessian) {
  const std::int64_t n = hessian.size(0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const float* h = hessian.data<float>();
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return h[a * (n + 1)] > h[b * (n + 1)]; });
  return order;
}

// R^T of H = R R^T with its rows and columns in `order`, row-major: row j has R_ij for i <= j. The Cholesky factor of the
// matrix written backwards is R written backwards.
std::vector<double> upper_factor(const Tensor& hessian, const std::vector<std::int64_t>& order) {
  const std::int64_t n = hessian.size(0);
  const float* h = hessian.data<float>();
  const auto place = [&](std::int64_t i) { return order[static_cast<std::size_t>(n - 1 - i)]; };
  std::vector<double> backwards(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) backwards[static_cast<std::size_t>(i * n + j)] = h[place(i) * n + place(j)];
  const std::vector<double> lower = cholesky(std::move(backwards), n);
  std::vector<double> result(lower.size());
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t i = 0; i <= j; ++i)
      result[static_cast<std::size_t>(j * n + i)] = lower[static_cast<std::size_t>((n - 1 - i) * n + (n - 1 - j))];
  return result;
}

}  // namespace

Tensor round_with_feedback(const LayerProblem& problem) {
  const std::int64_t n = problem.columns;
  Tensor result = problem.target.clone();
  std::vector<double> errors(static_cast<std::size_t>(n));
  for (std::int64_t g = 0; g < problem.groups(); ++g) {
    const Tensor& hessian = problem.hessians[static_cast<std::size_t>(g)];
    const std::vector<std::int64_t> order = by_falling_diagonal(hessian);
    const std::vector<double> factor = upper_factor(hessian, order);
    for (std::int64_t row = g * problem.rows; row < (g + 1) * problem.rows; ++row) {
      check_interrupt();
      float* w = result.data<float>() + row * n;
      for (std::int64_t j = 0; j < n; ++j) {
        const std::int64_t column = order[static_cast<std::size_t>(j)];
        const double* r = factor.data() + j * n;
        const double target = w[column];
        const double moved = target + dot(errors.data(), r, j) / r[j];
        const float rounded = problem.grid->nearest(row * n + column, static_cast<float>(moved));
        errors[static_cast<std::size_t>(j)] = target - static_cast<double>(rounded);
        w[column] = rounded;
      }
    }
  }
  return result;
}

}  // namespace qdq
