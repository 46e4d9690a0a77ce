#include "accuracy/layer_problem.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "accuracy/cholesky.h"
#include "accuracy/patches.h"

namespace qdq {
namespace {

// Sums over the rows of X, which come batch by batch.
class Moments {
 public:
  explicit Moments(std::int64_t columns)
      : columns_(columns),
        products_(static_cast<std::size_t>(columns * columns)),
        sums_(static_cast<std::size_t>(columns)) {}

  void add(const Tensor& x, Matmul& matmul) {
    rows_ += x.size(0);
    const Tensor product = matmul.transposed(x, x);
    for (std::size_t i = 0; i < products_.size(); ++i) products_[i] += product.data<float>()[i];
    const float* at = x.data<float>();
    for (std::int64_t row = 0; row < x.size(0); ++row)
      for (double& sum : sums_) sum += *at++;
  }

  std::vector<double> means() const {
    std::vector<double> result = sums_;
    for (double& x : result) x /= static_cast<double>(rows_);
    return result;
  }

  // X^T X / n, means removed, with `damping` times the mean of the diagonal added to the diagonal.
  Tensor hessian(double damping) const {
    const std::vector<double> mean = means();
    std::vector<double> centred(products_.size());
    double trace = 0;
    for (std::size_t row = 0; row < mean.size(); ++row)
      for (std::size_t column = 0; column < mean.size(); ++column) {
        const std::size_t i = row * mean.size() + column;
        centred[i] = products_[i] / static_cast<double>(rows_) - mean[row] * mean[column];
        if (row == column) trace += centred[i];
      }
    // Inputs that never change leave nothing to fit: any rounding will do.
    const double added = trace > 0 ? damping * trace / static_cast<double>(columns_) : 1.0;
    Tensor result = Tensor::empty(DType::float32, {columns_, columns_});
    for (std::size_t i = 0; i < centred.size(); ++i)
      result.data<float>()[i] = static_cast<float>(centred[i] + (i % (mean.size() + 1) == 0 ? added : 0.0));
    return result;
  }

 private:
  std::int64_t columns_;
  std::int64_t rows_ = 0;
  std::vector<double> products_;
  std::vector<double> sums_;
};

// How many rows of each sample to look at.
std::int64_t rows_of_sample(std::int64_t columns, const std::vector<Tensor>& inputs) {
  constexpr std::int64_t kLeastRows = 4096;  // of all samples together, where a layer has so many
  constexpr std::int64_t kRowsPerColumn = 32;
  std::int64_t samples = 0;
  for (const Tensor& input : inputs) samples += input.dim() > 0 ? input.size(0) : 1;
  return std::max<std::int64_t>(1, std::max(kLeastRows, kRowsPerColumn * columns) / std::max<std::int64_t>(samples, 1));
}

// The lower factor L of H + ridge, the ridge relative to the mean of H's diagonal.
std::vector<double> factor_with_ridge(const Tensor& hessian, double ridge) {
  const std::int64_t n = hessian.size(0);
  std::vector<double> matrix(hessian.data<float>(), hessian.data<float>() + hessian.numel());
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) trace += matrix[static_cast<std::size_t>(i * (n + 1))];
  for (std::int64_t i = 0; i < n; ++i)
    matrix[static_cast<std::size_t>(i * (n + 1))] += ridge * trace / static_cast<double>(n);
  return cholesky(std::move(matrix), n);
}

// Solves L L^T x = b in place.
void solve(const std::vector<double>& lower, std::span<double> b) {
  const auto n = static_cast<std::int64_t>(b.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const double* row = lower.data() + i * n;
    b.data()[i] = (b.data()[i] - dot(b.data(), row, i)) / row[i];
  }
  for (std::int64_t i = n; i-- > 0;) {
    const double* row = lower.data() + i * n;
    b.data()[i] /= row[i];
    for (std::int64_t j = 0; j < i; ++j) b.data()[j] -= row[j] * b.data()[i];
  }
}

// What the results of one group lack when the layer computes with T: R = Y - X T^T - bias.
struct Lack {
  std::vector<double> products;  // R^T X / n, means removed: [rows, columns]
  std::vector<double> means;     // of R: [rows]
};

Lack lack_of(const LayerProblem& problem, const Node& layer, const Shape& weight_sizes, std::int64_t group,
             const Tensor& bias, const std::vector<Tensor>& inputs, const std::vector<Tensor>& wanted, Matmul& matmul) {
  const std::int64_t most = rows_of_sample(problem.columns, inputs);
  const Tensor transposed =
      problem.group_rows(problem.target, group).permute(std::array<std::int64_t, 2>{1, 0}).contiguous();
  const float* constant = bias.data<float>() + group * problem.rows;
  const auto channels = static_cast<std::size_t>(problem.rows);
  Lack lack{std::vector<double>(channels * static_cast<std::size_t>(problem.columns)), std::vector<double>(channels)};
  std::int64_t count = 0;
  for (std::size_t batch = 0; batch < inputs.size(); ++batch) {
    const Tensor x = patches(layer, weight_sizes, inputs[batch], group, most);
    const Tensor rest = result_rows(layer, wanted[batch], group, most).clone();
    const Tensor made = matmul(x, transposed);
    float* r = rest.data<float>();
    const float* y = made.data<float>();
    for (std::int64_t row = 0; row < rest.size(0); ++row)
      for (std::size_t c = 0; c < channels; ++c, ++r, ++y) {
        *r -= *y + constant[c];
        lack.means[c] += *r;
      }
    const Tensor product = matmul.transposed(rest, x);
    for (std::size_t i = 0; i < lack.products.size(); ++i) lack.products[i] += product.data<float>()[i];
    count += rest.size(0);
  }
  for (double& mean : lack.means) mean /= static_cast<double>(count);
  const double* input_means = problem.means.data() + group * problem.columns;
  for (std::size_t i = 0; i < lack.products.size(); ++i) {
    const auto columns = static_cast<std::size_t>(problem.columns);
    lack.products[i] =
        lack.products[i] / static_cast<double>(count) - lack.means[i / columns] * input_means[i % columns];
  }
  return lack;
}

}  // namespace

std::vector<double> LayerProblem::losses(const Tensor& weight, Matmul& matmul) const {
  std::vector<double> sums(static_cast<std::size_t>(groups() * rows));
  const Tensor error = weight.clone().reshape({groups() * rows, columns});
  for (std::int64_t i = 0; i < error.numel(); ++i) error.data<float>()[i] -= target.data<float>()[i];
  for (std::int64_t g = 0; g < groups(); ++g) {
    const Tensor e = group_rows(error, g).contiguous();
    const Tensor product = matmul(e, hessians[static_cast<std::size_t>(g)]);
    for (std::int64_t i = 0; i < e.numel(); ++i)
      sums[static_cast<std::size_t>(g * rows + i / columns)] +=
          static_cast<double>(e.data<float>()[i]) * static_cast<double>(product.data<float>()[i]);
  }
  return sums;
}

LayerProblem layer_problem(const Node& layer, const Tensor& weight, const WeightGrid& grid,
                           const std::vector<Tensor>& inputs, double damping, Matmul& matmul) {
  LayerProblem problem;
  problem.grid = &grid;
  problem.rows = weight.size(0) / groups_of(layer);
  problem.columns = weight.numel() / weight.size(0);
  problem.target = weight.to(DType::float32).clone().reshape({weight.size(0), problem.columns});
  const std::int64_t most = rows_of_sample(problem.columns, inputs);
  for (std::int64_t g = 0; g < groups_of(layer); ++g) {
    Moments moments(problem.columns);
    for (const Tensor& input : inputs) moments.add(patches(layer, weight.sizes(), input, g, most), matmul);
    problem.hessians.push_back(moments.hessian(damping));
    std::ranges::copy(moments.means(), std::back_inserter(problem.means));
  }
  return problem;
}

void aim_at(LayerProblem& problem, const Node& layer, const Shape& weight_sizes, const Tensor& bias,
            const std::vector<Tensor>& inputs, const std::vector<Tensor>& wanted, Matmul& matmul) {
  constexpr double kRidge = 1;  // a tenth and three times as much do as well
  const auto columns = static_cast<std::size_t>(problem.columns);
  for (std::int64_t g = 0; g < problem.groups(); ++g) {
    Lack lack = lack_of(problem, layer, weight_sizes, g, bias, inputs, wanted, matmul);
    const std::vector<double> lower = factor_with_ridge(problem.hessians[static_cast<std::size_t>(g)], kRidge);
    const double* means = problem.means.data() + g * problem.columns;
    float* target = problem.group_rows(problem.target, g).data<float>();
    for (std::size_t r = 0; r < lack.means.size(); ++r) {
      const std::span<double> moved = std::span(lack.products).subspan(r * columns, columns);
      solve(lower, moved);
      double missing = lack.means[r];
      for (std::size_t k = 0; k < columns; ++k) {
        *target++ += static_cast<float>(moved[k]);
        missing -= moved[k] * means[k];
      }
      problem.missing.push_back(missing);
    }
  }
}

std::vector<double> mean_shift(const LayerProblem& problem, const Tensor& weight) {
  std::vector<double> result;
  const float* target = problem.target.data<float>();
  const float* rounded = weight.data<float>();
  for (std::int64_t row = 0; row < problem.groups() * problem.rows; ++row) {
    const double* mean = problem.means.data() + row / problem.rows * problem.columns;
    double shift = problem.missing.empty() ? 0 : problem.missing[static_cast<std::size_t>(row)];
    for (std::int64_t k = 0; k < problem.columns; ++k, ++target, ++rounded)
      shift += (static_cast<double>(*target) - static_cast<double>(*rounded)) * mean[k];
    result.push_back(shift);
  }
  return result;
}

}  // namespace qdq
