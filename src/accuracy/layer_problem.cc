#include "accuracy/layer_problem.h"

#include <algorithm>
#include <iterator>

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

}  // namespace

double LayerProblem::loss(const Tensor& weight, Matmul& matmul) const {
  double sum = 0;
  const Tensor error = weight.clone().reshape({groups() * rows, columns});
  for (std::int64_t i = 0; i < error.numel(); ++i) error.data<float>()[i] -= target.data<float>()[i];
  for (std::int64_t g = 0; g < groups(); ++g) {
    const Tensor e = group_rows(error, g).contiguous();
    const Tensor product = matmul(e, hessians[static_cast<std::size_t>(g)]);
    for (std::int64_t i = 0; i < e.numel(); ++i)
      sum += static_cast<double>(e.data<float>()[i]) * static_cast<double>(product.data<float>()[i]);
  }
  return sum;
}

LayerProblem layer_problem(const Node& layer, const Tensor& weight, const WeightGrid& grid,
                           const std::vector<Tensor>& inputs, double damping, Matmul& matmul) {
  constexpr std::int64_t kLeastRows = 4096;  // of all samples together, where a layer has so many
  constexpr std::int64_t kRowsPerColumn = 32;
  LayerProblem problem;
  problem.grid = &grid;
  problem.rows = weight.size(0) / groups_of(layer);
  problem.columns = weight.numel() / weight.size(0);
  problem.target = weight.to(DType::float32).clone().reshape({weight.size(0), problem.columns});
  std::int64_t samples = 0;
  for (const Tensor& input : inputs) samples += input.dim() > 0 ? input.size(0) : 1;
  const std::int64_t wanted = std::max(kLeastRows, kRowsPerColumn * problem.columns);
  const std::int64_t most = std::max<std::int64_t>(1, wanted / std::max<std::int64_t>(samples, 1));
  for (std::int64_t g = 0; g < groups_of(layer); ++g) {
    Moments moments(problem.columns);
    for (const Tensor& input : inputs) moments.add(patches(layer, weight.sizes(), input, g, most), matmul);
    problem.hessians.push_back(moments.hessian(damping));
    std::ranges::copy(moments.means(), std::back_inserter(problem.means));
  }
  return problem;
}

std::vector<double> mean_shift(const LayerProblem& problem, const Tensor& weight) {
  std::vector<double> result;
  const float* target = problem.target.data<float>();
  const float* rounded = weight.data<float>();
  for (std::int64_t row = 0; row < problem.groups() * problem.rows; ++row) {
    const double* mean = problem.means.data() + row / problem.rows * problem.columns;
    double shift = 0;
    for (std::int64_t k = 0; k < problem.columns; ++k, ++target, ++rounded)
      shift += (static_cast<double>(*target) - static_cast<double>(*rounded)) * mean[k];
    result.push_back(shift);
  }
  return result;
}

}  // namespace qdq
