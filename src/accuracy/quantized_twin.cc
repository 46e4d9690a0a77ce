#include "accuracy/quantized_twin.h"

#include <optional>

#include "accuracy/channel_means.h"
#include "accuracy/copy_prepared.h"

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
  return convert(copy_prepared(prepared), options);
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

// The addition that alone reads what `layer` makes, perhaps through observers, and which of its summands that is.
struct Addition {
  const Node* node;
  std::size_t summand;
};
std::optional<Addition> addition_behind(const Node& layer) {
  const Node* value = &layer;
  while (value->users().size() == 1) {
    const Node* user = value->users().front();
    if (user->kind() != NodeKind::call_module) {
      const bool adds = user->is("aten.add.Tensor") && user->args().size() == 2 && user->kwargs().empty() &&
                        user->input(0) && user->input(1);
      if (!adds) return std::nullopt;
      return Addition{user, user->input(0) == value ? std::size_t{0} : std::size_t{1}};
    }
    value = user;
  }
  return std::nullopt;
}

// into += a - b
void add_difference(Tensor& into, const Tensor& a, const Tensor& b) {
  const Tensor plain_a = a.to(DType::float32).contiguous();
  const Tensor plain_b = b.to(DType::float32).contiguous();
  into = into.to(DType::float32).contiguous().clone();
  for (std::int64_t i = 0; i < into.numel(); ++i)
    into.data<float>()[i] += plain_a.data<float>()[i] - plain_b.data<float>()[i];
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

std::vector<Tensor> QuantizedTwin::wanted_outputs(const ObservedLayer& layer) {
  std::vector<Tensor> wanted = float_outputs(layer);
  const auto addition = addition_behind(*reference_.graph().find(layer.node->name()));
  if (!addition) return wanted;
  const Node* twin = quantized_.graph().find(addition->node->name());
  const std::size_t other = 1 - addition->summand;
  if (!twin || !twin->input(other)) return wanted;
  const std::vector<Tensor> in_float = in_float_.values_ahead(addition->node->input(other)->name());
  const std::vector<Tensor> quantized = simulated_.values_ahead(twin->input(other)->name());
  if (in_float.empty() || quantized.empty()) return wanted;
  for (std::size_t batch = 0; batch < wanted.size(); ++batch)
    if (in_float[batch].sizes() == wanted[batch].sizes())  // not spread over it
      add_difference(wanted[batch], in_float[batch], quantized[batch]);
  return wanted;
}

void QuantizedTwin::set_weight(const ObservedLayer& layer, const Tensor& weight) {
  for (Program* program : {&prepared_, &quantized_}) program->attributes.find(layer.weight->target())->value = weight;
  Node& twin = *quantized_.graph().find(layer.node->name());
  Node* read = twin.input(1);
  while (read->kind() != NodeKind::get_attr) read = read->input(0);  // through quantize and dequantize
  twin.set_arg(1, Argument(*read));
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
