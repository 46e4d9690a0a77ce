// The observers that keep bounds only: running or averaged, per tensor or per channel.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "observers/build.h"
#include "observers/channels.h"
#include "observers/kernels.h"
#include "observers/uniform.h"
#include "qdq/error.h"

namespace qdq {
namespace {

// torch.min and torch.max: NaN if either is.
float min_of(float a, float b) { return std::isnan(a) || a < b ? a : b; }
float max_of(float a, float b) { return std::isnan(a) || a > b ? a : b; }

class BoundsObserver : public UniformObserver {
 public:
  // `averaging`: the weight of the newest batch; without it the bounds are those of everything observed.
  BoundsObserver(std::string_view kind, const ObserverOptions& options, QScheme default_qscheme,
                 std::optional<double> averaging)
      : UniformObserver(kind, options, default_qscheme) {
    if (averaging) averaging_ = static_cast<float>(*averaging);
    if (options.reduce_range.value_or(false) && is_symmetric(qscheme_) && dtype_ == DType::quint8)
      refuse("reduce_range is not defined for symmetric quint8");
    if (is_per_channel(qscheme_)) {
      ch_axis_ = options.ch_axis.value_or(0);
      if (is_dynamic_) refuse("per-channel observers cannot be dynamic");
    } else {
      if (is_dynamic_ && averaging && *averaging != 1)
        refuse("dynamic needs averaging_constant 1, found " + std::to_string(*averaging));
      min_val_ = {kInfinity};
      max_val_ = {-kInfinity};
    }
  }

  void observe(const Tensor& value) override {
    if (value.numel() == 0) return;
    const Tensor x = float_values(value, !ch_axis_.has_value() || value.is_dense());
    if (!ch_axis_) {
      const Extremes batch = observer_kernels().min_max(x.data<float>(), x.numel());
      latest_ = batch;
      add(std::span(&batch, 1));
      return;
    }
    const std::vector<Extremes> batch = channel_extremes(value, channel_axis(value), x.data<float>());
    if (!min_val_.empty() && min_val_.size() != batch.size())
      refuse(std::to_string(min_val_.size()) + " channels expected, as in the values observed before; found sizes " +
             to_string(value.sizes()) + " with ch_axis " + std::to_string(*ch_axis_));
    add(batch);
  }

  bool observe_again(float low, float high) override {
    if (!latest_ || std::isnan(latest_->min)) return false;
    latest_ = Extremes{std::clamp(latest_->min, low, high), std::clamp(latest_->max, low, high)};
    add(std::span(&*latest_, 1));
    return true;
  }

  QParams calculate_qparams() const override { return qparams_for(min_val_, max_val_); }
  bool is_idempotent() const override { return can_merge(); }
  bool can_merge() const override { return !averaging_; }
  void merge(const Observer& other) override {
    if (!can_merge()) UniformObserver::merge(other);
    const auto& shard = dynamic_cast<const BoundsObserver&>(same_kind(other));
    if (shard.min_val_.empty()) return;
    if (!min_val_.empty() && min_val_.size() != shard.min_val_.size())
      refuse("cannot merge " + std::to_string(shard.min_val_.size()) + " channels into " +
             std::to_string(min_val_.size()));
    std::vector<Extremes> bounds;
    for (std::size_t i = 0; i < shard.min_val_.size(); ++i) bounds.push_back({shard.min_val_[i], shard.max_val_[i]});
    add(bounds);
  }

 private:
  std::int64_t channel_axis(const Tensor& value) const {
    const std::int64_t axis = *ch_axis_ < 0 ? *ch_axis_ + value.dim() : *ch_axis_;
    if (axis < 0 || axis >= value.dim())
      refuse("ch_axis " + std::to_string(*ch_axis_) + " is outside the sizes " + to_string(value.sizes()));
    return axis;
  }

  // Channels appear with the first batch; an average starts from it.
  void add(std::span<const Extremes> batch) {
    const bool first = !has_observed();
    min_val_.resize(batch.size());
    max_val_.resize(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      float& min = min_val_[i];
      float& max = max_val_[i];
      if (first) {
        min = batch[i].min;
        max = batch[i].max;
      } else if (averaging_) {
        min = min + *averaging_ * (batch[i].min - min);
        max = max + *averaging_ * (batch[i].max - max);
      } else {
        min = min_of(batch[i].min, min);
        max = max_of(batch[i].max, max);
      }
    }
  }

  std::optional<float> averaging_;
  std::optional<Extremes> latest_;  // of the latest values, for observers of whole tensors
};

}  // namespace

std::unique_ptr<Observer> build_min_max(const ObserverOptions& options) {
  return std::make_unique<BoundsObserver>("MinMaxObserver", options, QScheme::per_tensor_affine, std::nullopt);
}

std::unique_ptr<Observer> build_moving_average_min_max(const ObserverOptions& options) {
  return std::make_unique<BoundsObserver>("MovingAverageMinMaxObserver", options, QScheme::per_tensor_affine,
                                          options.averaging_constant.value_or(0.01));
}

std::unique_ptr<Observer> build_per_channel_min_max(const ObserverOptions& options) {
  return std::make_unique<BoundsObserver>("PerChannelMinMaxObserver", options, QScheme::per_channel_affine,
                                          std::nullopt);
}

std::unique_ptr<Observer> build_moving_average_per_channel_min_max(const ObserverOptions& options) {
  return std::make_unique<BoundsObserver>("MovingAveragePerChannelMinMaxObserver", options, QScheme::per_channel_affine,
                                          options.averaging_constant.value_or(0.01));
}

}  // namespace qdq
