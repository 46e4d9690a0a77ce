#include <algorithm>
#include <chrono>
#include <functional>

#include "accuracy/adaptive_rounding.h"
#include "accuracy/quantized_twin.h"
#include "accuracy/refine_rounding.h"
#include "accuracy/round_with_feedback.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

constexpr int kSweeps = 8;  // of coordinate descent, after either way of rounding

using Round = std::function<Tensor(const LayerProblem&, Matmul&)>;

std::string why_not(const Program& program, const ObservedLayer& layer) {
  const Tensor& weight = program.tensor_of(*layer.weight);
  if (weight.dim() < 2) return "its weight has no two dimensions";
  if (readers_of(program, layer.weight->target()) > 1)
    return "its weight '" + layer.weight->target() + "' is read by others too";
  return "";
}

AccuracyReport round_weights(PreparedProgram& prepared, const CalibrationBatches& batches, double damping,
                             const ExecutorOptions& executor, const Round& round) {
  AccuracyReport report;
  if (batches.empty()) throw InvalidArgumentError("[accuracy] one or more batches expected, found none");
  Program& program = prepared.program();
  Matmul matmul(executor);
  QuantizedTwin twin(prepared, batches, executor);
  for (const ObservedLayer& layer : observed_layers(program, prepared.observers())) {
    std::string why = why_not(program, layer);
    const Tensor weight = program.tensor_of(*layer.weight);
    const auto grid = why.empty() ? WeightGrid::of(*layer.observer, weight, &why) : std::nullopt;
    if (!grid) {
      report.skipped.push_back({layer.node->name(), why});
      continue;
    }
    const LayerProblem problem =
        layer_problem(*layer.node, weight, *grid, twin.quantized_inputs(layer), damping, matmul);
    Tensor chosen = grid->nearest(weight).reshape(problem.target.sizes());
    const Tensor rounded = round(problem, matmul);
    refine_rounding(problem, rounded, kSweeps, matmul);
    if (problem.loss(rounded, matmul) < problem.loss(chosen, matmul)) {
      chosen = rounded;
      ++report.changed;
    }
    twin.set_weight(layer, chosen.reshape(weight.sizes()).to(weight.dtype()));
    twin.add_to_bias(layer, mean_shift(problem, chosen));
  }
  return report;
}

}  // namespace

AccuracyReport adaround(PreparedProgram& prepared, const CalibrationBatches& batches, const AdaRoundOptions& options) {
  if (options.iterations < 1)
    throw InvalidArgumentError("[adaround] 1 or more iterations expected, found " + std::to_string(options.iterations));
  return round_weights(
      prepared, batches, options.damping, options.executor,
      [&](const LayerProblem& problem, Matmul& matmul) { return round_adaptively(problem, options, matmul); });
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
                       [](const LayerProblem& problem, Matmul&) { return round_with_feedback(problem); });
}

}  // namespace qdq
