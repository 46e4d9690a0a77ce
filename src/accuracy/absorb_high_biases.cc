#include <algorithm>
#include <memory>

#include "accuracy/channel_means.h"
#include "accuracy/layer_pairs.h"
#include "accuracy/weighted_layers.h"
#include "passes/fuse_batch_norm.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

constexpr double kStandardDeviations = 3;

bool pads(const Node& convolution) {
  constexpr std::size_t kPadding = 4;
  if (!is_convolution(convolution) || convolution.args().size() <= kPadding) return false;
  if (const auto* word = convolution.arg(kPadding).get_if<std::string>()) return *word != "valid";
  return std::ranges::any_of(convolution.arg(kPadding).to_ints(), [](std::int64_t p) { return p != 0; });
}

std::string why_not(const LayerPair& pair) {
  const bool adjacent = pair.relu && pair.relu->input(0) == pair.first && pair.second->input(0) == pair.relu;
  if (!adjacent || pair.relu6) return "no ReLU alone stands between it and the next layer";
  if (pads(*pair.second)) return "'" + pair.second->name() + "' behind it pads its input with zeros";
  return "";
}

// Moves what is above the three standard deviations of each channel. Returns whether there was anything.
bool absorb(Program& program, const LayerPair& pair, const ChannelMeans& values) {
  const std::vector<double> means = values.means();
  const std::vector<double> deviations = values.standard_deviations();
  std::vector<double> moved(means.size());
  for (std::size_t c = 0; c < moved.size(); ++c)
    moved[c] = std::max(0.0, means[c] - kStandardDeviations * deviations[c]);
  if (std::ranges::all_of(moved, [](double c) { return c == 0; })) return false;
  const Tensor first = bias_values(program, *pair.first);
  for (std::size_t c = 0; c < moved.size(); ++c) first.data<float>()[c] -= static_cast<float>(moved[c]);
  const Tensor second = bias_values(program, *pair.second);
  const Tensor weight = program.tensor_of(*weight_of(*pair.second)).contiguous();
  std::vector<double> added(static_cast<std::size_t>(weight.size(0)));
  const std::int64_t in_row = weight.numel() / weight.size(0);
  for_each_input_channel(weight.sizes(), groups_of(*pair.second), [&](std::size_t c, std::int64_t i) {
    added[static_cast<std::size_t>(i / in_row)] += static_cast<double>(weight.data<float>()[i]) * moved[c];
  });
  for (std::size_t c = 0; c < added.size(); ++c) second.data<float>()[c] += static_cast<float>(added[c]);
  set_bias(program, *pair.first, first);
  set_bias(program, *pair.second, second);
  return true;
}

}  // namespace

AccuracyReport absorb_high_biases(Program& program, const CalibrationBatches& batches,
                                  const ExecutorOptions& executor) {
  fuse_conv_bn(program);
  fuse_linear_bn(program);
  AccuracyReport report;
  std::vector<LayerPair> pairs = layer_pairs(program, report.skipped);
  std::erase_if(pairs, [&](const LayerPair& pair) {
    const std::string why = why_not(pair);
    if (!why.empty()) report.skipped.push_back({pair.first->name(), why});
    return !why.empty();
  });
  if (pairs.empty()) return report;
  std::vector<ChannelMeans> values(pairs.size());
  {
    const auto run = make_executor(program, executor);
    std::vector<std::string> names;
    for (const LayerPair& pair : pairs) names.push_back(pair.first->name());
    run->keep_values(names);
    for (const auto& batch : batches) {
      run->run(batch);
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        const Tensor& value = *run->kept_value(names[i]);
        values[i].add(value, channel_dim(*pairs[i].first, value.dim()));
      }
    }
  }
  // What moves out of a layer into the next changes no value but the one between them, so all pairs go by one run.
  for (std::size_t i = 0; i < pairs.size(); ++i)
    if (absorb(program, pairs[i], values[i])) ++report.changed;
  return report;
}

}  // namespace qdq
