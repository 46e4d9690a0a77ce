#include "accuracy/quantized_twin.h"

#include "accuracy/channel_means.h"

namespace qdq {
namespace {

ExecutorOptions simulating(ExecutorOptions executor) {
  executor.simulate_quantization = true;
  return executor;
}

// Weights stay in float, followed by their quantize, so that they can be changed.
Program converted(const PreparedProgram& prepared) {
  ConvertOptions options;
  options.fold_quantize = false;
  return convert(PreparedProgram(prepared.program().clone(), prepared.observers()), options);
}

// value[:, c] += difference[c], in memory of its own
void add_to_channels(Tensor& value, std::int64_t dim, const std::vector<double>& difference) {
  value = value.clone();
  const std::int64_t inner = numel(std::span(value.sizes()).subspan(static_cast<std::size_t>(dim) + 1));
  float* at = value.data<float>();
  for (std::int64_t row = 0; row < value.numel() / inner; ++row, at += inner) {
    const auto moved = static_cast<float>(difference[static_cast<std::size_t>(row) % difference.size()]);
    for (std::int64_t i = 0; i < inner; ++i) at[i] += moved;
  }
}

}  // namespace

QuantizedTwin::QuantizedTwin(PreparedProgram& prepared, const CalibrationBatches& batches,
                             const ExecutorOptions& executor)
    : prepared_(prepared.program()),
      reference_(prepared.program().clone()),
      quantized_(converted(prepared)),
      in_float_(reference_, batches, executor),
      simulated_(quantized_, batches, simulating(executor)) {}

const std::vector<Tensor>& QuantizedTwin::quantized_inputs(const ObservedLayer& layer) {
  simulated_.before(layer.node->name());
  return simulated_.values(quantized_.graph().find(layer.node->name())->input(0)->name());
}

const std::vector<Tensor>& QuantizedTwin::float_outputs(const ObservedLayer& layer) {
  in_float_.through(layer.node->name());
  return in_float_.values(layer.node->name());
}

std::vector<Tensor>& QuantizedTwin::quantized_outputs(const ObservedLayer& layer) {
  simulated_.through(layer.node->name());
  return simulated_.values(layer.node->name());
}

void QuantizedTwin::set_weight(const ObservedLayer& layer, const Tensor& weight) {
  for (Program* program : {&prepared_, &quantized_}) program->attributes.find(layer.weight->target())->value = weight;
}

void QuantizedTwin::add_to_bias(const ObservedLayer& layer, const std::vector<double>& difference) {
  const Tensor bias = moved_bias(prepared_, *layer.node, difference);
  for (Program* program : {&prepared_, &quantized_})
    set_bias(*program, *program->graph().find(layer.node->name()), bias);
}

void QuantizedTwin::correct_bias(const ObservedLayer& layer) {
  ChannelMeans expected;
  ChannelMeans found;
  for (const Tensor& value : float_outputs(layer)) expected.add(value, channel_dim(*layer.node, value.dim()));
  std::vector<Tensor>& outputs = quantized_outputs(layer);
  for (const Tensor& value : outputs) found.add(value, channel_dim(*layer.node, value.dim()));
  std::vector<double> difference = expected.means();
  const std::vector<double> mean = found.means();
  for (std::size_t c = 0; c < difference.size(); ++c) difference[c] -= mean[c];
  add_to_bias(layer, difference);
  for (Tensor& value : outputs) add_to_channels(value, channel_dim(*layer.node, value.dim()), difference);
}

}  // namespace qdq
