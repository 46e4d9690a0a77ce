#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "accuracy/channel_groups.h"
#include "accuracy/channel_ranges.h"
#include "accuracy/factor_ops.h"
#include "accuracy/layer_pairs.h"
#include "accuracy/weighted_layers.h"
#include "graph/observed_value.h"
#include "passes/fuse_batch_norm.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

using Factors = std::vector<double>;

// A weight that a group is read with.
struct Columns {
  Tensor weight;                     // contiguous
  std::int64_t groups;               // of the convolution
  double steps = 0;                  // quant_max - quant_min; 0: it is not quantized
  bool is_per_channel = false;       // a scale for each output channel
  std::vector<double> mean_squares;  // of the layer's input, for each channel
};

// What is known about one group. The error that its consumers get is estimated: a value in steps of d has an error of
// variance d^2 / 12, and errors are independent of each other.
class GroupError {
 public:
  std::vector<std::pair<std::vector<float>, std::vector<float>>> ranges;  // least, greatest for each quantized value
  std::vector<Columns> columns;
  double value_steps = 255;

  // Of the results of all consumers, when channel c of the values is multiplied by factors[c].
  double with(const Factors& factors) const { return of_values(factors) + of_weights(factors); }

 private:
  double of_values(const Factors& factors) const {
    double steps_squared = 0;
    for (const auto& [least, greatest] : ranges) {
      double low = 0;
      double high = 0;
      for (std::size_t c = 0; c < factors.size(); ++c) {
        low = std::min(low, factors[c] * static_cast<double>(least[c]));
        high = std::max(high, factors[c] * static_cast<double>(greatest[c]));
      }
      steps_squared += std::pow((high - low) / value_steps, 2);
    }
    double gain = 0;
    for (const Columns& read : columns)
      for_each_input_channel(read.weight.sizes(), read.groups, [&](std::size_t c, std::int64_t i) {
        const double w = static_cast<double>(read.weight.data<float>()[i]) / factors[c];
        gain += w * w;
      });
    return steps_squared / 12 * gain;
  }

  double of_weights(const Factors& factors) const {
    double sum = 0;
    for (const Columns& read : columns) {
      if (read.steps == 0) continue;
      const auto rows = static_cast<std::size_t>(read.weight.size(0));
      const std::int64_t in_row = read.weight.numel() / read.weight.size(0);
      std::vector<double> largest(rows);
      std::vector<double> energy(rows);
      for_each_input_channel(read.weight.sizes(), read.groups, [&](std::size_t c, std::int64_t i) {
        const auto row = static_cast<std::size_t>(i / in_row);
        largest[row] = std::max(largest[row], std::abs(static_cast<double>(read.weight.data<float>()[i])) / factors[c]);
        energy[row] += factors[c] * factors[c] * read.mean_squares[c];
      });
      if (!read.is_per_channel) std::ranges::fill(largest, *std::ranges::max_element(largest));
      for (std::size_t row = 0; row < rows; ++row) sum += std::pow(2 * largest[row] / read.steps, 2) / 12 * energy[row];
    }
    return sum;
  }
};

class ActivationEqualizer {
 public:
  ActivationEqualizer(Program& program, Quantizer& quantizer, const EqualizeActivationsOptions& options)
      : program_(program), options_(options), groups_(channel_groups(program, report_.skipped)) {
    prepared_.emplace(prepare(program.clone(), quantizer));
    for (const Node& node : prepared_->program().graph().nodes()) {
      if (node.kind() != NodeKind::call_module) continue;
      const Observer& observer = *prepared_->observers().at(node.target());
      if (!observer.is_dynamic() && !is_floating_point(observer.dtype()))
        observer_of_[observed_value(node).name()] = &observer;
    }
    std::erase_if(groups_, [&](const ChannelGroup& group) {
      const std::string why = why_not(group);
      if (!why.empty())
        for (const Node* producer : group.producers) report_.skipped.push_back({producer->name(), why});
      return !why.empty();
    });
  }

  AccuracyReport run(const CalibrationBatches& batches) {
    if (groups_.empty()) return std::move(report_);
    gather(batches);
    for (const ChannelGroup& group : groups_) {
      const Factors factors = best_factors(group);
      if (factors.empty()) continue;
      apply(group, factors);
      ++report_.changed;
    }
    return std::move(report_);
  }

 private:
  const Observer* observer_of(const Node& value) const {
    const auto found = observer_of_.find(value.name());
    return found == observer_of_.end() ? nullptr : found->second;
  }

  // Quantized with a range of its own: one that a relu or clamp alone reads takes its range from behind that.
  bool is_quantized(const Node& value) const {
    if (!observer_of(value)) return false;
    const Node* user = value.num_users() == 1 ? value.users().front() : nullptr;
    return !user || !(is_relu_op(*user) || upper_clamp(*user));
  }

  std::string why_not(const ChannelGroup& group) const {
    if (std::ranges::none_of(group.values, [&](const Node* value) { return is_quantized(*value); }))
      return "what it makes is not quantized";
    for (const Node* producer : group.producers) {
      const Observer* weight = observer_of(*weight_of(*producer));
      if (weight && !is_per_channel(weight->qscheme()) && !weight->affine())
        return "the weight of '" + producer->name() + "' has one scale for all channels";
    }
    return "";
  }

  void gather(const CalibrationBatches& batches) {
    constexpr std::size_t kSamples = 64;  // enough for ranges of channels
    for (const ChannelGroup& group : groups_)
      for (const Node* value : group.values)
        if (observer_of(*value)) ranges_[value->name()];
    std::unordered_map<std::string, std::string> names;  // of what the observation points see
    std::unordered_map<std::string, std::int64_t> dims;
    for (const Node& node : prepared_->program().graph().nodes())
      if (node.kind() == NodeKind::call_module) names[node.target()] = observed_value(node).name();
    for (const ChannelGroup& group : groups_)
      for (const Node* value : group.values) {
        const Node& layer = *group.producers.front();
        const auto rank = static_cast<std::int64_t>(value->type.tensor() ? value->type.tensor()->sizes.size() : 0);
        // Images that were flattened have their channels last.
        dims[value->name()] = is_linear_op(layer) || rank == 2 ? rank - 1 : channel_dim(layer, rank);
      }
    const auto run = make_executor(prepared_->program(), options_.executor);
    run->set_observe([&](const std::string& target, const Tensor& value) {
      if (const auto found = ranges_.find(names.at(target)); found != ranges_.end())
        found->second.add(value, dims.at(found->first));
    });
    std::size_t samples = 0;
    for (const auto& batch : batches) {
      if (samples >= kSamples) break;
      run->run(batch);
      samples += batch.empty() || batch.front().dim() == 0 ? 1 : static_cast<std::size_t>(batch.front().size(0));
    }
  }

  GroupError error_of(const ChannelGroup& group) const {
    GroupError error;
    for (const Node* value : group.values) {
      if (!is_quantized(*value)) continue;
      const ChannelRanges& found = ranges_.at(value->name());
      error.ranges.emplace_back(found.min(), found.max());
      error.value_steps = static_cast<double>(observer_of(*value)->quant_max() - observer_of(*value)->quant_min());
    }
    for (const Node* layer : group.consumers) {
      Columns read{program_.tensor_of(*weight_of(*layer)).contiguous(), groups_of(*layer), 0, false, {}};
      const Observer* weight = observer_of(*weight_of(*layer));
      const auto input = ranges_.find(layer->input(0)->name());
      if (weight && input != ranges_.end()) {
        read.steps = static_cast<double>(weight->quant_max() - weight->quant_min());
        read.is_per_channel = is_per_channel(weight->qscheme()) || weight->affine();
        read.mean_squares = input->second.mean_squares();
      }
      error.columns.push_back(std::move(read));
    }
    return error;
  }

  // The largest |value| of each channel beside the range of its tensor, over the quantized values of the group.
  static std::vector<double> fill_of(const GroupError& error) {
    std::vector<double> fill(error.ranges.front().first.size());
    for (const auto& [least, greatest] : error.ranges) {
      const double whole =
          static_cast<double>(std::max(-*std::ranges::min_element(least), *std::ranges::max_element(greatest)));
      if (whole <= 0) continue;
      for (std::size_t c = 0; c < fill.size(); ++c)
        fill[c] = std::max(fill[c], static_cast<double>(std::max(-least[c], greatest[c])) / whole);
    }
    return fill;
  }

  Factors best_factors(const ChannelGroup& group) const {
    const GroupError error = error_of(group);
    std::vector<double> room = fill_of(error);
    if (group.clamp) {
      // Up to where the clamp cuts, which no channel may reach that did not reach it before.
      for (double& x : room) x = 0;
      for (const auto& [least, greatest] : error.ranges)
        for (std::size_t c = 0; c < room.size(); ++c)
          room[c] = std::max(room[c], options_.clamp_headroom * static_cast<double>(greatest[c]) / *group.clamp);
    }
    Factors best;
    double least = error.with(Factors(room.size(), 1.0)) * (1 - options_.least_gain);
    for (const double strength : options_.strengths) {
      Factors factors(room.size(), 1.0);
      for (std::size_t c = 0; c < room.size(); ++c)
        if (room[c] > 0) factors[c] = std::clamp(std::pow(room[c], -strength), 1.0, options_.largest_factor);
      const double found = error.with(factors);
      if (!(found < least)) continue;
      least = found;
      best = std::move(factors);
    }
    return best;
  }

  void apply(const ChannelGroup& group, const Factors& factors) {
    for (const Node* layer : group.producers) {
      for (const Node* parameter : {weight_of(*layer), bias_of(*layer)}) {
        if (!parameter) continue;
        const Tensor values = own_copy(program_, *parameter);
        for_each_output_channel(values.sizes(), [&](std::size_t c, std::int64_t i) {
          values.data<float>()[i] *= static_cast<float>(factors[c]);
        });
      }
    }
    for (const Node* layer : group.consumers) {
      const Tensor weight = own_copy(program_, *weight_of(*layer));
      for_each_input_channel(weight.sizes(), groups_of(*layer), [&](std::size_t c, std::int64_t i) {
        weight.data<float>()[i] /= static_cast<float>(factors[c]);
      });
    }
  }

  Program& program_;
  EqualizeActivationsOptions options_;
  AccuracyReport report_;
  std::vector<ChannelGroup> groups_;
  std::optional<PreparedProgram> prepared_;
  std::unordered_map<std::string, const Observer*> observer_of_;  // of values and parameters, by name
  std::unordered_map<std::string, ChannelRanges> ranges_;
};

}  // namespace

AccuracyReport equalize_activations(Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                                    const EqualizeActivationsOptions& options) {
  if (batches.empty()) throw InvalidArgumentError("[equalize_activations] one or more batches expected, found none");
  fuse_conv_bn(program);
  fuse_linear_bn(program);
  return ActivationEqualizer(program, quantizer, options).run(batches);
}

}  // namespace qdq
