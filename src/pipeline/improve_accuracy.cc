// The order of the accuracy algorithms, readable aloud.
#include <chrono>

#include "qdq/accuracy.h"

namespace qdq {
namespace {

template <typename Algorithm>
void run(std::vector<AccuracyReport>& reports, std::string name, Algorithm&& algorithm) {
  const auto start = std::chrono::steady_clock::now();
  AccuracyReport report = algorithm();
  report.algorithm = std::move(name);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  reports.push_back(std::move(report));
}

}  // namespace

std::vector<AccuracyReport> improve_before_prepare(Program& program, Quantizer& quantizer,
                                                   const AccuracyOptions& options, const CalibrationBatches& batches,
                                                   const ExecutorOptions& executor) {
  std::vector<AccuracyReport> reports;
  if (options.equalize)  // weights share their ranges; it makes biases larger ...
    run(reports, "equalize", [&] { return equalize_layers(program); });
  if (options.absorb_high_biases)  // ... which move on where nothing is lost
    run(reports, "absorb_high_biases", [&] { return absorb_high_biases(program, batches, executor); });
  if (options.equalize_activations)  // channels share the range of their value
    run(reports, "equalize_activations",
        [&] { return equalize_activations(program, quantizer, batches, {.executor = executor}); });
  if (options.smooth_quant)  // channels with large values hand them over to the weights
    run(reports, "smooth_quant", [&] { return smooth_quant(program, quantizer, batches, {.executor = executor}); });
  return reports;
}

std::vector<AccuracyReport> improve_before_calibrate(PreparedProgram& prepared, const AccuracyOptions& options) {
  std::vector<AccuracyReport> reports;
  if (options.widen_weights)  // 8 bits where fewer would hurt most
    run(reports, "widen_weights", [&] { return widen_weights(prepared); });
  if (options.observe_behind_clamps)
    run(reports, "observe_behind_clamps", [&] { return observe_behind_clamps(prepared); });
  return reports;
}

std::vector<AccuracyReport> improve_before_convert(PreparedProgram& prepared, const AccuracyOptions& options,
                                                   const CalibrationBatches& batches, const ExecutorOptions& executor) {
  std::vector<AccuracyReport> reports;
  if (options.widen_activations)  // before weights are fitted to what quantized values do
    run(reports, "widen_activations", [&] {
      WidenOptions widen = options.widen;
      widen.executor = executor;
      return widen_activations(prepared, batches, widen);
    });
  if (options.rounding == AccuracyOptions::Rounding::adaround)
    run(reports, "adaround", [&] { return adaround(prepared, batches, {.executor = executor}); });
  if (options.rounding == AccuracyOptions::Rounding::gptq)
    run(reports, "gptq", [&] { return gptq(prepared, batches, {.executor = executor}); });
  if (options.bias_correction)  // last: it takes the means of what all others left
    run(reports, "bias_correction",
        [&] { return correct_biases(prepared, batches, {.kind = *options.bias_correction, .executor = executor}); });
  return reports;
}

}  // namespace qdq
