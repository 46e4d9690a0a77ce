#include "accuracy/adaptive_rounding.h"

#include <algorithm>
#include <cmath>

#include "qdq/interrupt.h"
#include "runtime/parallel.h"

namespace qdq {
namespace {

constexpr float kStretch = 1.2F;  // zeta - gamma
constexpr float kBelow = -0.1F;   // gamma
constexpr double kWarmUp = 0.2;
constexpr float kFirstBeta = 20;
constexpr float kLastBeta = 2;

struct Variable {
  float v;
  float momentum = 0;
  float square = 0;
};

// What every element of one step shares.
struct Step {
  float rate;    // Adam's, with its bias corrections
  float weight;  // lambda
  float beta;
};

class AdaptiveRounding {
 public:
  AdaptiveRounding(const LayerProblem& problem, const AdaRoundOptions& options, Matmul& matmul)
      : problem_(problem), options_(options), matmul_(matmul) {
    const float* target = problem.target.data<float>();
    const std::int64_t count = problem.target.numel();
    variables_.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      const float level = target[i] / problem.grid->scale(i) + problem.grid->zero_point(i);
      floors_.push_back(std::floor(level));
      const float fraction = std::clamp(level - floors_.back(), 0.01F, 0.99F);
      // h(v) = fraction: the learning begins at the real weight.
      variables_.push_back({-std::log(kStretch / (fraction - kBelow) - 1), 0, 0});
    }
    normalise();
  }

  Tensor run() {
    Tensor error = Tensor::empty(DType::float32, problem_.target.sizes());
    for (int step = 0; step < options_.iterations; ++step) {
      check_interrupt();
      for_ranges([&](std::int64_t begin, std::int64_t end) { write_errors(error, begin, end); });
      const Tensor gradient = gradient_of(error);
      const Step now = step_of(step);
      for_ranges([&](std::int64_t begin, std::int64_t end) { move(gradient, now, begin, end); });
    }
    Tensor result = Tensor::empty(DType::float32, problem_.target.sizes());
    for (std::int64_t i = 0; i < result.numel(); ++i)
      result.data<float>()[i] = problem_.grid->value(i, floors_[index(i)] + (rectified(i) >= 0.5F ? 1.0F : 0.0F));
    return result;
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  // The scale of the loss must not decide how it weighs against the regularizer: a flip costs about 1.
  void normalise() {
    double sum = 0;
    const std::int64_t n = problem_.columns;
    for (std::int64_t i = 0; i < problem_.target.numel(); ++i) {
      const Tensor& hessian = problem_.hessians[index(i / (n * problem_.rows))];
      const double s = problem_.grid->scale(i);
      sum += s * s * static_cast<double>(hessian.data<float>()[i % n * (n + 1)]);
    }
    const double mean = sum / static_cast<double>(problem_.target.numel());
    inverse_ = mean > 0 ? static_cast<float>(1 / mean) : 1;
  }

  float rectified(std::int64_t i) const {
    const float sigmoid = 1 / (1 + std::exp(-variables_[index(i)].v));
    return std::clamp(sigmoid * kStretch + kBelow, 0.0F, 1.0F);
  }

  void write_errors(const Tensor& error, std::int64_t begin, std::int64_t end) const {
    const float* target = problem_.target.data<float>();
    for (std::int64_t i = begin; i < end; ++i)
      error.data<float>()[i] = problem_.grid->value(i, floors_[index(i)] + rectified(i)) - target[i];
  }

  // 2 (W(v) - T) H
  Tensor gradient_of(const Tensor& error) {
    if (problem_.groups() == 1) return matmul_(error, problem_.hessians.front());
    constexpr std::int64_t kSmall = 64;
    Tensor gradient = Tensor::empty(DType::float32, error.sizes());
    for (std::int64_t g = 0; g < problem_.groups(); ++g) {
      const Tensor rows = problem_.group_rows(error, g);
      const Tensor out = problem_.group_rows(gradient, g);
      const Tensor& hessian = problem_.hessians[index(g)];
      if (problem_.columns > kSmall) {
        out.copy_from(matmul_(rows.contiguous(), hessian));
      } else {
        multiply(rows.data<float>(), hessian.data<float>(), out.data<float>());
      }
    }
    return gradient;
  }

  void multiply(const float* rows, const float* hessian, float* out) const {
    const std::int64_t n = problem_.columns;
    for (std::int64_t r = 0; r < problem_.rows; ++r, rows += n, out += n)
      for (std::int64_t k = 0; k < n; ++k)
        for (std::int64_t j = 0; j < n; ++j) out[j] += rows[k] * hessian[k * n + j];
  }

  Step step_of(int step) const {
    const double progress = static_cast<double>(step) / options_.iterations;
    const double annealed = std::max(0.0, (progress - kWarmUp) / (1 - kWarmUp));
    const double t = step + 1;
    Step now;
    now.rate = static_cast<float>(options_.learning_rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)));
    now.weight = progress < kWarmUp ? 0 : static_cast<float>(options_.regularizer);
    now.beta = kLastBeta + (kFirstBeta - kLastBeta) * static_cast<float>(0.5 * (1 + std::cos(annealed * M_PI)));
    return now;
  }

  void move(const Tensor& gradient, const Step& now, std::int64_t begin, std::int64_t end) {
    const float* products = gradient.data<float>();
    for (std::int64_t i = begin; i < end; ++i) {
      Variable& x = variables_[index(i)];
      const float sigmoid = 1 / (1 + std::exp(-x.v));
      const float h = sigmoid * kStretch + kBelow;
      if (h <= 0 || h >= 1) continue;  // no slope there
      const float slope = kStretch * sigmoid * (1 - sigmoid);
      const float level = floors_[index(i)] + h;
      const bool is_clamped = level < problem_.grid->quant_min() || level > problem_.grid->quant_max();
      float g = is_clamped ? 0 : 2 * inverse_ * problem_.grid->scale(i) * products[i];
      const float side = 2 * h - 1;
      if (now.weight > 0)
        g -= now.weight * 2 * now.beta * std::pow(std::abs(side), now.beta - 1) * (side > 0 ? 1.0F : -1.0F);
      g *= slope;
      x.momentum = 0.9F * x.momentum + 0.1F * g;
      x.square = 0.999F * x.square + 0.001F * g * g;
      x.v -= now.rate * x.momentum / (std::sqrt(x.square) + 1e-8F);
    }
  }

  // Elements do not depend on each other: any number of threads gives the same result.
  template <typename Fn>
  void for_ranges(Fn&& fn) const {
    constexpr std::int64_t kGrain = 1 << 14;
    if (options_.executor.threads == 1)
      fn(std::int64_t{0}, problem_.target.numel());
    else
      runtime::parallel_for(problem_.target.numel(), kGrain, fn);
  }

  const LayerProblem& problem_;
  const AdaRoundOptions& options_;
  Matmul& matmul_;
  std::vector<Variable> variables_;
  std::vector<float> floors_;  // floor(T / s) + z
  float inverse_ = 1;          // 1 / mean(s^2 H_jj)
};

}  // namespace

Tensor round_adaptively(const LayerProblem& problem, const AdaRoundOptions& options, Matmul& matmul) {
  return AdaptiveRounding(problem, options, matmul).run();
}

}  // namespace qdq
