#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "accuracy/matmul.h"
#include "accuracy/smooth_groups.h"
#include "accuracy/weight_grid.h"
#include "accuracy/weighted_layers.h"
#include "passes/fuse_batch_norm.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

// An observer like `observer` that has seen nothing; null for a kind that is not ours.
std::shared_ptr<Observer> fresh(const Observer& observer) {
  try {
    if (!observer.is_dynamic()) return observer_by_name(observer.kind())(observer.options());
    // What a dynamic place does in each run.
    return min_max_observer()({.dtype = observer.dtype(),
                               .qscheme = QScheme::per_tensor_affine,
                               .quant_min = observer.quant_min(),
                               .quant_max = observer.quant_max()});
  } catch (const InvalidArgumentError&) {
    return nullptr;
  }
}

// `value` on the grid that an observer like `observer` chooses for it; empty without a grid.
std::optional<Tensor> quantized(const Observer& observer, const Tensor& value) {
  const auto own = fresh(observer);
  const auto grid = own ? WeightGrid::of(*own, value) : std::nullopt;
  return grid ? std::optional(grid->nearest(value)) : std::nullopt;
}

// A group with what is known about it.
struct Candidate {
  SmoothGroup group;
  std::shared_ptr<Observer> input;                 // of the linears' input
  std::vector<std::shared_ptr<Observer>> weights;  // one for each linear
  std::vector<Tensor> values;                      // rows [n, channels]
};

class Smoother {
 public:
  Smoother(Program& program, Quantizer& quantizer, const SmoothOptions& options)
      : program_(program), options_(options), matmul_(options.executor) {
    PreparedProgram prepared = prepare(program.clone(), quantizer);
    for (SmoothGroup& group : smooth_groups(program, report_.skipped)) add(group, prepared);
  }

  AccuracyReport run(const CalibrationBatches& batches) {
    gather(batches);
    for (const Candidate& candidate : candidates_) {
      const std::vector<float> factors = best_factors(candidate);
      if (factors.empty()) continue;
      apply_factors(program_, candidate.group, factors);
      ++report_.changed;
    }
    return std::move(report_);
  }

 private:
  void add(const SmoothGroup& group, PreparedProgram& prepared) {
    Candidate candidate{group, nullptr, {}, {}};
    for (const Node* linear : group.linears) {
      const Node* twin = prepared.program().graph().find(linear->name());
      const auto observer_of = [&](std::size_t index) -> std::shared_ptr<Observer> {
        const Node* input = twin ? twin->input(index) : nullptr;
        const bool is_observed = input && input->kind() == NodeKind::call_module;
        return is_observed ? prepared.observers().at(input->target()) : nullptr;
      };
      candidate.input = observer_of(0);
      candidate.weights.push_back(observer_of(1));
      if (candidate.input && candidate.weights.back()) continue;
      report_.skipped.push_back({linear->name(), "its input or its weight is not quantized"});
      return;
    }
    candidates_.push_back(std::move(candidate));
  }

  // Runs the float program and keeps what the linears read.
  void gather(const CalibrationBatches& batches) {
    constexpr std::int64_t kRows = 2048;  // of all batches together
    if (candidates_.empty()) return;
    const auto run = make_executor(program_, options_.executor);
    std::vector<std::string> names;
    for (const Candidate& candidate : candidates_) names.push_back(candidate.group.value->name());
    run->keep_values(names);
    const std::int64_t most = std::max<std::int64_t>(1, kRows / static_cast<std::int64_t>(batches.size()));
    for (const auto& batch : batches) {
      run->run(batch);
      for (std::size_t i = 0; i < candidates_.size(); ++i) {
        const Tensor value = run->kept_value(names[i])->to(DType::float32).contiguous();
        candidates_[i].values.push_back(some_rows(value.reshape({-1, value.size(-1)}), most));
      }
    }
  }

  // At most `most` rows, evenly spread.
  static Tensor some_rows(const Tensor& matrix, std::int64_t most) {
    const std::int64_t step = std::max<std::int64_t>(1, (matrix.size(0) + most - 1) / most);
    const std::int64_t rows = (matrix.size(0) + step - 1) / step;
    return matrix.as_strided({rows, matrix.size(1)}, {step * matrix.size(1), 1}, matrix.storage_offset()).clone();
  }

  static Tensor joined(const std::vector<Tensor>& parts) {
    std::int64_t rows = 0;
    for (const Tensor& part : parts) rows += part.size(0);
    Tensor all = Tensor::empty(DType::float32, {rows, parts.front().size(1)});
    std::int64_t at = 0;
    for (const Tensor& part : parts) {
      all.narrow(0, at, part.size(0)).copy_from(part);
      at += part.size(0);
    }
    return all;
  }

  // The factors of the strength with the least error; none when nothing is better than leaving the group alone.
  std::vector<float> best_factors(const Candidate& candidate) {
    const Tensor values = joined(candidate.values);
    const auto channels = static_cast<std::size_t>(values.size(1));
    std::vector<Tensor> weights;
    for (const Node* linear : candidate.group.linears)
      weights.push_back(program_.tensor_of(*weight_of(*linear)).contiguous());
    std::vector<float> value_max(channels);
    std::vector<float> weight_max(channels);
    take_maxima(values, value_max);
    for (const Tensor& weight : weights) take_maxima(weight, weight_max);
    std::vector<Tensor> expected;
    for (const Tensor& weight : weights) expected.push_back(product(values, weight));
    const auto error_of = [&](const std::vector<float>& factors) {
      return error(candidate, values, weights, expected, factors);
    };
    std::vector<float> best;
    std::optional<double> least = error_of(std::vector<float>(channels, 1.0F));
    for (const double strength : options_.strengths) {
      std::vector<float> factors(channels, 1.0F);
      for (std::size_t c = 0; c < channels; ++c) {
        if (value_max[c] <= 0 || weight_max[c] <= 0) continue;  // a channel of zeros asks for nothing
        factors[c] = static_cast<float>(std::pow(value_max[c], strength) / std::pow(weight_max[c], 1 - strength));
      }
      const std::optional<double> found = least ? error_of(factors) : std::nullopt;
      if (!found || *found >= *least) continue;
      least = found;
      best = std::move(factors);
    }
    return best;
  }

  static void take_maxima(const Tensor& matrix, std::vector<float>& maxima) {
    const float* at = matrix.data<float>();
    for (std::int64_t row = 0; row < matrix.size(0); ++row)
      for (float& most : maxima) most = std::max(most, std::abs(*at++));
  }

  static Tensor scaled(const Tensor& matrix, const std::vector<float>& factors, bool divide) {
    Tensor result = matrix.clone();
    float* at = result.data<float>();
    for (std::int64_t row = 0; row < result.size(0); ++row)
      for (const float factor : factors) {
        *at = divide ? *at / factor : *at * factor;
        ++at;
      }
    return result;
  }

  Tensor product(const Tensor& values, const Tensor& weight) {
    return matmul_(values, weight.permute(std::array<std::int64_t, 2>{1, 0}));
  }

  // ||X W^T - Q(X / s) Q(W s)^T||^2 over the linears; `expected` is X W^T. Empty where there is no grid.
  std::optional<double> error(const Candidate& candidate, const Tensor& values, const std::vector<Tensor>& weights,
                              const std::vector<Tensor>& expected, const std::vector<float>& factors) {
    const std::optional<Tensor> x = quantized(*candidate.input, scaled(values, factors, true));
    if (!x) return std::nullopt;
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::optional<Tensor> w = quantized(*candidate.weights[i], scaled(weights[i], factors, false));
      if (!w) return std::nullopt;
      const Tensor found = product(*x, *w);
      for (std::int64_t k = 0; k < found.numel(); ++k) {
        const double difference =
            static_cast<double>(expected[i].data<float>()[k]) - static_cast<double>(found.data<float>()[k]);
        sum += difference * difference;
      }
    }
    return sum;
  }

  Program& program_;
  SmoothOptions options_;
  Matmul matmul_;
  AccuracyReport report_;
  std::vector<Candidate> candidates_;
};

}  // namespace

AccuracyReport smooth_quant(Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                            const SmoothOptions& options) {
  if (batches.empty()) throw InvalidArgumentError("[smooth_quant] one or more batches expected, found none");
  fuse_linear_bn(program);
  return Smoother(program, quantizer, options).run(batches);
}

}  // namespace qdq
