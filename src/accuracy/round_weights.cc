#include <algorithm>
#include <chrono>
#include <functional>

#include "accuracy/adaptive_rounding.h"
#include "accuracy/quantized_twin.h"
#include "accuracy/refine_rounding.h"
#include "accuracy/round_with_feedback.h"
#include "accuracy/search_scales.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

constexpr int kSweeps = 8;  // of coordinate descent, after either way of rounding

// Ways to round a weight, of which each output channel takes the best.
using Round = std::function<std::vector<Tensor>(const LayerProblem&, Matmul&)>;

std::string why_not(const Program& program, const ObservedLayer& layer) {
  const Tensor& weight = program.tensor_of(*layer.weight);
  if (weight.dim() < 2) return "its weight has no two dimensions";
  if (readers_of(program, layer.weight->target()) > 1)
    return "its weight '" + layer.weight->target() + "' is read by others too";
  return "";
}

// Whether no other value has the scales of this one.
bool is_own(const PreparedProgram& prepared, const Observer* observer) {
  return std::ranges::count_if(prepared.observers(),
                               [&](const auto& entry) { return entry.second.get() == observer; }) == 1;
}

// Puts those output channels of the candidates into `chosen` that have less loss there. Returns whether there were any.
bool choose_best(const LayerProblem& problem, const std::vector<Tensor>& candidates, const Tensor& chosen,
                 Matmul& matmul) {
  std::vector<double> least = problem.losses(chosen, matmul);
  bool found = false;
  for (const Tensor& candidate : candidates) {
    refine_rounding(problem, candidate, kSweeps, matmul);
    const std::vector<double> losses = problem.losses(candidate, matmul);
    for (std::size_t row = 0; row < losses.size(); ++row) {
      if (losses[row] >= least[row]) continue;
      least[row] = losses[row];
      std::copy_n(candidate.data<float>() + static_cast<std::int64_t>(row) * problem.columns, problem.columns,
                  chosen.data<float>() + static_cast<std::int64_t>(row) * problem.columns);
      found = true;
    }
  }
  return found;
}

bool is_coarse(const ObservedLayer& layer) {
  constexpr std::int64_t kMostSteps = 127;  // of 7 bits
  return layer.observer->quant_max() - layer.observer->quant_min() <= kMostSteps;
}

AccuracyReport round_weights(PreparedProgram& prepared, const CalibrationBatches& batches, double damping,
                             const ExecutorOptions& executor, const Round& round) {
  AccuracyReport report;
  if (batches.empty()) throw InvalidArgumentError("[accuracy] one or more batches expected, found none");
  Program& program = prepared.program();
  Matmul matmul(executor);
  QuantizedTwin twin(prepared, batches, executor);
  const std::vector<ObservedLayer> layers = observed_layers(program, prepared.observers());
  // What weights of 8 bits do is little beside the noise of 8-bit values, which no layer can make up for.
  const bool makes_up = std::ranges::any_of(layers, is_coarse);
  for (const ObservedLayer& layer : layers) {
    std::string why = why_not(program, layer);
    const Tensor weight = program.tensor_of(*layer.weight);
    auto grid = why.empty() ? WeightGrid::of(*layer.observer, weight, &why) : std::nullopt;
    if (!grid) {
      report.skipped.push_back({layer.node->name(), why});
      continue;
    }
    const std::vector<Tensor>& inputs = twin.quantized_inputs(layer);
    LayerProblem problem = layer_problem(*layer.node, weight, *grid, inputs, damping, matmul);
    if (makes_up)
      aim_at(problem, *layer.node, weight.sizes(), bias_values(program, *layer.node), inputs,
             twin.wanted_outputs(layer), matmul);
    if (is_coarse(layer) && is_own(prepared, layer.observer) && has_scale_of_rows(problem) &&
        stretch_range(*layer.observer, search_scales(problem, matmul)))
      grid = WeightGrid::of(*layer.observer, weight);  // where `problem` looks for it
    const Tensor chosen = grid->nearest(problem.target);
    if (choose_best(problem, round(problem, matmul), chosen, matmul)) ++report.changed;
    twin.set_weight(layer, chosen.reshape(weight.sizes()).to(weight.dtype()));
    twin.add_to_bias(layer, mean_shift(problem, chosen));
  }
  return report;
}

}  // namespace

AccuracyReport adaround(PreparedProgram& prepared, const CalibrationBatches& batches, const AdaRoundOptions& options) {
  if (options.iterations < 1)
    throw InvalidArgumentError("[adaround] 1 or more iterations expected, found " + std::to_string(options.iterations));
  return round_weights(prepared, batches, options.damping, options.executor,
                       [&](const LayerProblem& problem, Matmul& matmul) {
                         return std::vector{round_adaptively(problem, options, matmul), round_with_feedback(problem)};
                       });
}

double estimate_adaround_seconds(PreparedProgram& prepared, const AdaRoundOptions& options) {
  // Of a step, a share goes by the products with H and a share by the weights: two problems tell them apart.
  const auto measured = [&](std::int64_t rows, std::int64_t columns) {
    constexpr int kSteps = 4;
    const Tensor target = Tensor::full(DType::float32, {rows, columns}, 0.4);
    const auto observer =
        fixed_qparams_observer()({.dtype = DType::int8, .quant_min = -8, .quant_max = 7, .scale = 1, .zero_point = 0});
    const auto grid = WeightGrid::of(*observer, target);
    LayerProblem problem;
    problem.rows = rows;
    problem.columns = columns;
    problem.hessians = {Tensor::full(DType::float32, {columns, columns}, 1.0)};
    problem.target = target;
    problem.grid = &*grid;
    AdaRoundOptions few = options;
    few.iterations = kSteps;
    Matmul matmul(options.executor);
    round_adaptively(problem, few, matmul);  // plans are made in the first run
    const auto start = std::chrono::steady_clock::now();
    round_adaptively(problem, few, matmul);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kSteps;
  };
  constexpr double kRows = 1024, kFew = 64, kMany = 1024;
  const double by_weight =
      measured(static_cast<std::int64_t>(kRows * kMany / kFew), static_cast<std::int64_t>(kFew)) / (kRows * kMany);
  const double wide = measured(static_cast<std::int64_t>(kRows), static_cast<std::int64_t>(kMany));
  const double by_product = std::max(0.0, wide - by_weight * kRows * kMany) / (kRows * kMany * kMany);
  double seconds = 0;
  for (const ObservedLayer& layer : observed_layers(prepared.program(), prepared.observers())) {
    const Tensor& weight = prepared.program().tensor_of(*layer.weight);
    if (weight.numel() == 0) continue;
    const auto weights = static_cast<double>(weight.numel());
    seconds += options.iterations * weights * (by_weight + by_product * weights / static_cast<double>(weight.size(0)));
  }
  return seconds;
}

AccuracyReport gptq(PreparedProgram& prepared, const CalibrationBatches& batches, const GptqOptions& options) {
  return round_weights(prepared, batches, options.damping, options.executor,
                       [](const LayerProblem& problem, Matmul&) { return std::vector{round_with_feedback(problem)}; });
}

}  // namespace qdq
