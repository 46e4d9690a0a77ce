#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <unordered_map>

#include "accuracy/channel_means.h"
#include "accuracy/quantized_twin.h"
#include "accuracy/samples.h"
#include "accuracy/slice_program.h"
#include "accuracy/weight_grid.h"
#include "accuracy/weighted_layers.h"
#include "qdq/accuracy.h"
#include "qdq/interrupt.h"
#include "runtime/parallel.h"

namespace qdq {
namespace {

// Layers that are quantized on a grid, with it; each weight as often as it is read.
struct Corrected {
  ObservedLayer layer;
  Tensor error;  // W - W_q
};
std::vector<Corrected> corrected_layers(PreparedProgram& prepared, AccuracyReport& report) {
  std::vector<Corrected> result;
  for (const ObservedLayer& layer : observed_layers(prepared.program(), prepared.observers(), takes_bias)) {
    const Tensor weight = prepared.program().tensor_of(*layer.weight);
    std::string why;
    const auto grid = WeightGrid::of(*layer.observer, weight, &why);
    if (!grid) {
      report.skipped.push_back({layer.node->name(), why});
      continue;
    }
    const Tensor error = weight.to(DType::float32).clone();
    const Tensor nearest = grid->nearest(weight);
    const std::span<float> values(error.data<float>(), static_cast<std::size_t>(error.numel()));
    std::ranges::transform(values, std::span(nearest.data<float>(), values.size()), values.begin(), std::minus());
    result.push_back({layer, error});
  }
  return result;
}

// The sum of a layer's inputs over the samples. A layer is linear: its mean result is its result on the mean input.
class InputSum {
 public:
  void add(const Tensor& input, const Node& layer) {
    Tensor plain = input.to(DType::float32);
    // Of a linear all dimensions but the last count samples, of a convolution the first, unless its image comes alone.
    const std::int64_t channels = is_linear_op(layer) ? plain.dim() - 1 : channel_dim(layer, plain.dim());
    // Samples one after the other, each in whatever order: executors like channels last.
    if (channels != 1 || !plain.is_dense() || plain.strides()[0] * plain.size(0) != plain.numel())
      plain = plain.contiguous();
    Shape sizes(plain.sizes().begin() + channels, plain.sizes().end());
    Shape strides(plain.strides().begin() + channels, plain.strides().end());
    const std::int64_t inner = numel(sizes);
    if (inner == 0) return;
    if (channels > 0) {
      sizes.insert(sizes.begin(), 1);
      strides.insert(strides.begin(), inner);
    }
    Entry& entry = entry_of(sizes, strides);
    const float* values = plain.data<float>();
    const std::int64_t samples = plain.numel() / inner;
    constexpr std::int64_t kGrain = 1 << 13;
    runtime::parallel_for(inner, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t sample = 0; sample < samples; ++sample)
        for (std::int64_t i = begin; i < end; ++i) entry.sum[static_cast<std::size_t>(i)] += values[sample * inner + i];
    });
    entry.samples += samples;
  }

  // For each size of input that was met, the mean and how many samples it stands for.
  std::vector<std::pair<Tensor, std::int64_t>> means() const {
    std::vector<std::pair<Tensor, std::int64_t>> result;
    for (const Entry& entry : entries_) {
      Tensor mean = Tensor::empty(DType::float32, entry.sizes);
      for (std::size_t i = 0; i < entry.sum.size(); ++i)
        mean.data<float>()[i] = static_cast<float>(entry.sum[i] / static_cast<double>(entry.samples));
      result.emplace_back(mean.as_strided(entry.sizes, entry.strides, 0), entry.samples);
    }
    return result;
  }

 private:
  struct Entry {
    Shape sizes;
    Shape strides;
    std::vector<double> sum;  // in the order in which the elements lie
    std::int64_t samples = 0;
  };
  Entry& entry_of(const Shape& sizes, const Shape& strides) {
    for (Entry& entry : entries_)
      if (entry.sizes == sizes && entry.strides == strides) return entry;
    entries_.push_back({sizes, strides, std::vector<double>(static_cast<std::size_t>(numel(sizes))), 0});
    return entries_.back();
  }
  std::vector<Entry> entries_;
};

// E[(W - W_q) x] per channel: the layer with the weight's error as its weight and without bias, on the mean inputs.
std::vector<double> mean_error(const Program& program, const Corrected& corrected, const InputSum& inputs,
                               const ExecutorOptions& executor) {
  const Node& layer = *corrected.layer.node;
  ProgramSlice alone = slice_program(program, recomputed_nodes(program.graph()), std::array{&layer}, {layer.name()});
  alone.program.attributes.find(corrected.layer.weight->target())->value = corrected.error;
  Node& twin = *alone.program.graph().find(layer.name());
  // One sample, whatever batch the program insists on, and of a linear one vector.
  for (Node* input : alone.program.graph().placeholders()) input->type = {};
  twin.type = {};
  if (twin.args().size() > 2) twin.set_arg(2, Argument());
  if (alone.inputs.size() != 1) return {};  // it reads a constant
  const auto run = make_executor(alone.program, executor);
  std::vector<double> total;
  std::int64_t values = 0;
  for (const auto& [mean, samples] : inputs.means()) {
    const Tensor output = run->run({mean}).front();
    const std::int64_t dim = channel_dim(layer, output.dim());
    ChannelMeans means;
    means.add(output, dim);
    const std::int64_t weight = samples * output.numel() / output.size(dim);
    const std::vector<double> found = means.means();
    total.resize(found.size());
    for (std::size_t c = 0; c < found.size(); ++c) total[c] += found[c] * static_cast<double>(weight);
    values += weight;
  }
  for (double& x : total) x /= static_cast<double>(values);
  return total;
}

// Runs the float program and adds up what each layer reads. Values that an observer sees are looked at on their way; the
// others are kept.
void add_inputs(const Program& program, const std::vector<Corrected>& layers, const CalibrationBatches& batches,
                const BiasCorrectionOptions& options, std::vector<InputSum>& sums) {
  std::unordered_map<std::string, std::vector<std::size_t>> seen;
  std::vector<std::string> kept;
  std::vector<std::size_t> by_kept;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Node& input = *layers[i].layer.node->input(0);
    if (input.kind() == NodeKind::call_module) {
      seen[input.target()].push_back(i);
    } else {
      kept.push_back(input.name());
      by_kept.push_back(i);
    }
  }
  const auto run = make_executor(program, options.executor);
  run->keep_values(kept);
  run->set_observe([&](const std::string& target, const Tensor& value) {
    if (const auto found = seen.find(target); found != seen.end())
      for (const std::size_t i : found->second) sums[i].add(value, *layers[i].layer.node);
  });
  std::int64_t samples = 0;
  for (const auto& batch : batches) {
    if (samples >= options.samples) break;
    check_interrupt();
    samples += samples_of(batch).value_or(1);
    run->run(batch);
    for (std::size_t k = 0; k < kept.size(); ++k)
      if (const Tensor* value = run->kept_value(kept[k])) sums[by_kept[k]].add(*value, *layers[by_kept[k]].layer.node);
  }
}

AccuracyReport correct_fast(PreparedProgram& prepared, const CalibrationBatches& batches,
                            const BiasCorrectionOptions& options) {
  AccuracyReport report;
  Program& program = prepared.program();
  const std::vector<Corrected> layers = corrected_layers(prepared, report);
  std::vector<InputSum> inputs(layers.size());
  add_inputs(program, layers, batches, options, inputs);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Node& node = *layers[i].layer.node;
    const std::vector<double> error = mean_error(program, layers[i], inputs[i], options.executor);
    if (error.empty()) continue;
    set_bias(program, node, moved_bias(program, node, error));
    ++report.changed;
  }
  return report;
}

AccuracyReport correct_full(PreparedProgram& prepared, const CalibrationBatches& batches,
                            const ExecutorOptions& executor) {
  AccuracyReport report;
  const std::vector<Corrected> layers = corrected_layers(prepared, report);
  QuantizedTwin twin(prepared, batches, executor);
  for (const Corrected& corrected : layers) {
    twin.correct_bias(corrected.layer);
    ++report.changed;
  }
  return report;
}

}  // namespace

AccuracyReport correct_biases(PreparedProgram& prepared, const CalibrationBatches& batches,
                              const BiasCorrectionOptions& options) {
  if (batches.empty()) throw InvalidArgumentError("[correct_biases] one or more batches expected, found none");
  return options.kind == BiasCorrectionOptions::Kind::fast ? correct_fast(prepared, batches, options)
                                                           : correct_full(prepared, batches, options.executor);
}

}  // namespace qdq
