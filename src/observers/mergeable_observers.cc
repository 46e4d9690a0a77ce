// Observers whose statistics can be merged exactly, and which search them for a range.
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "observers/build.h"
#include "observers/channels.h"
#include "observers/histogram_search.h"
#include "observers/mergeable_histogram.h"
#include "observers/mergeable_state.h"
#include "observers/range_search.h"
#include "observers/uniform.h"
#include "qdq/error.h"

namespace qdq {
namespace {

class MergeableObserver : public UniformObserver {
 public:
  MergeableObserver(std::string_view kind, const ObserverOptions& options)
      : UniformObserver(kind, options,
                        options.qscheme && is_per_channel(*options.qscheme) ? QScheme::per_channel_affine
                                                                            : QScheme::per_tensor_affine),
        bins_(options.bins.value_or(is_per_channel(qscheme_) ? 512 : 2048)) {
    if (is_dynamic_) refuse("searches for a range cannot be dynamic");
    if (qscheme_ == QScheme::per_channel_affine_float_qparams)
      refuse("a qscheme with an integer zero point expected, found " + std::string(name(qscheme_)));
    if (is_floating_point(dtype_) || quant_max_ - quant_min_ > 65535)
      refuse("65536 levels at most expected, found " + std::string(name(dtype_)) + " with " +
             std::to_string(quant_min_) + ".." + std::to_string(quant_max_));
    MergeableHistogram first(bins_);  // throws for bins that cannot be
    if (is_per_channel(qscheme_))
      ch_axis_ = options.ch_axis.value_or(0);
    else
      histograms_.push_back(std::move(first));
    note_bounds();
  }

  void observe(const Tensor& value) override {
    if (value.numel() == 0) return;
    const Tensor x = float_values(value, !ch_axis_ || value.is_dense());
    const Extremes all = observer_kernels().min_max(x.data<float>(), x.numel());
    if (std::isnan(all.min))
      refuse("found NaN in values of sizes " + to_string(value.sizes()) + "; a histogram needs numbers");
    if (!ch_axis_) {
      add(histograms_[0], {x.data<float>(), static_cast<std::size_t>(x.numel())}, all);
    } else {
      const std::int64_t axis = channel_axis(value);
      const auto channels = static_cast<std::size_t>(value.sizes()[static_cast<std::size_t>(axis)]);
      take_channels(channels, "sizes " + to_string(value.sizes()));
      for_each_channel(value, axis, x.data<float>(), [&](std::size_t channel, std::span<const float> values) {
        add(histograms_[channel], values,
            observer_kernels().min_max(values.data(), static_cast<std::int64_t>(values.size())));
      });
    }
    note_bounds();
  }

  QParams calculate_qparams() const override {
    std::vector<float> min, max;
    bool observed = false;
    for (const MergeableHistogram& histogram : histograms_) {
      observed |= !histogram.empty();
      const Range range = histogram.empty() ? Range{0.0f, 0.0f} : search(histogram);
      min.push_back(range.min);
      max.push_back(range.max);
    }
    return observed ? qparams_for(min, max) : default_qparams();
  }

  bool is_idempotent() const override { return true; }
  bool can_merge() const override { return true; }
  void merge(const Observer& other) override {
    const auto& shard = dynamic_cast<const MergeableObserver&>(same_kind(other));
    if (shard.bins_ != bins_)
      refuse("cannot merge " + std::to_string(shard.bins_) + " bins into " + std::to_string(bins_));
    if (shard.histograms_.empty()) return;
    take_channels(shard.histograms_.size(), std::to_string(shard.histograms_.size()) + " to merge");
    for (std::size_t i = 0; i < histograms_.size(); ++i) histograms_[i].merge(shard.histograms_[i]);
    note_bounds();
  }

  ObserverState save_state() const override {
    ObserverState state = UniformObserver::save_state();
    append_histograms(state, histograms_);
    return state;
  }
  void load_state(const ObserverState& state) override {
    std::vector<MergeableHistogram> histograms = histograms_of(state, bins_);
    if (!ch_axis_ && histograms.size() != 1)
      refuse("one histogram expected, found " + std::to_string(histograms.size()));
    UniformObserver::load_state(state);
    histograms_ = std::move(histograms);
    note_bounds();
  }

 protected:
  virtual Range search(const MergeableHistogram& histogram) const = 0;

  bool symmetric() const { return is_symmetric(qscheme_); }
  Levels levels_of(Range range) const {
    const ScaleAndZeroPoint qparams = qparams_of(range.min, range.max);
    return {qparams.scale, static_cast<double>(quant_min_ - qparams.zero_point),
            static_cast<double>(quant_max_ - qparams.zero_point)};
  }

 private:
  static void add(MergeableHistogram& histogram, std::span<const float> values, Extremes bounds) {
    if (bounds.min != -kInfinity && bounds.max != kInfinity) {
      histogram.add(values.data(), static_cast<std::int64_t>(values.size()), bounds);
      return;
    }
    std::vector<float> finite;
    std::ranges::copy_if(values, std::back_inserter(finite), [](float v) { return !std::isinf(v); });
    const auto count = static_cast<std::int64_t>(finite.size());
    histogram.add(finite.data(), count, observer_kernels().min_max(finite.data(), count));
  }

  // The channels appear with the first values.
  void take_channels(std::size_t channels, const std::string& found) {
    if (histograms_.empty()) histograms_.assign(channels, MergeableHistogram(bins_));
    if (histograms_.size() != channels)
      refuse(std::to_string(histograms_.size()) + " channels expected, as in the values observed before; found " +
             found);
  }

  std::int64_t channel_axis(const Tensor& value) const {
    const std::int64_t axis = *ch_axis_ < 0 ? *ch_axis_ + value.dim() : *ch_axis_;
    if (axis < 0 || axis >= value.dim())
      refuse("ch_axis " + std::to_string(*ch_axis_) + " is outside the sizes " + to_string(value.sizes()));
    return axis;
  }

  void note_bounds() {
    min_val_.clear();
    max_val_.clear();
    for (const MergeableHistogram& histogram : histograms_) {
      min_val_.push_back(histogram.state().min);
      max_val_.push_back(histogram.state().max);
    }
  }

  std::int64_t bins_;
  std::vector<MergeableHistogram> histograms_;
};

class MSEObserver : public MergeableObserver {
 public:
  explicit MSEObserver(const ObserverOptions& options) : MergeableObserver("MSEObserver", options) {}

 private:
  Range search(const MergeableHistogram& histogram) const override {
    return least_squares_range(histogram.distribution(), symmetric(), [this](Range range) { return levels_of(range); });
  }
};

class PercentileObserver : public MergeableObserver {
 public:
  explicit PercentileObserver(const ObserverOptions& options)
      : MergeableObserver("PercentileObserver", options), percentile_(options.percentile.value_or(99.99)) {
    if (!(percentile_ > 0.0 && percentile_ <= 100.0))
      refuse("a percentile above 0 and up to 100 expected, found " + std::to_string(percentile_));
  }

 private:
  Range search(const MergeableHistogram& histogram) const override {
    return percentile_range(histogram.distribution(), symmetric(), percentile_);
  }
  double percentile_;
};

class EntropyObserver : public MergeableObserver {
 public:
  explicit EntropyObserver(const ObserverOptions& options) : MergeableObserver("EntropyObserver", options) {}

 private:
  Range search(const MergeableHistogram& histogram) const override {
    return least_entropy_range(histogram.binned_distribution(), symmetric(), quant_max_ - quant_min_ + 1);
  }
};

// HistogramObserver's search on a histogram that can be merged.
class MergeableHistogramObserver : public MergeableObserver {
 public:
  explicit MergeableHistogramObserver(const ObserverOptions& options)
      : MergeableObserver("MergeableHistogramObserver", options) {}

 private:
  Range search(const MergeableHistogram& histogram) const override {
    const Distribution bins = histogram.binned_distribution();
    const Range whole{std::min(bins.min, 0.0f), std::max(bins.max, 0.0f)};
    if (bins.counts.empty()) return whole;
    // PyTorch counts zeros like other values.
    std::int64_t first = bins.first, end = first + static_cast<std::int64_t>(bins.counts.size());
    if (bins.zeros > 0.0) {
      first = std::min<std::int64_t>(first, 0);
      end = std::max<std::int64_t>(end, 1);
    }
    std::vector<float> counts(static_cast<std::size_t>(end - first), 0.0f);
    for (std::size_t i = 0; i < bins.counts.size(); ++i)
      counts[i + static_cast<std::size_t>(bins.first - first)] = static_cast<float>(bins.counts[i]);
    if (bins.zeros > 0.0) counts[static_cast<std::size_t>(-first)] += static_cast<float>(bins.zeros);
    const double levels = std::ldexp(1.0, static_cast<int>(8 * element_size(dtype_)));
    const HistogramRange found =
        search_histogram_range(counts, static_cast<float>(static_cast<double>(first) * bins.width),
                               static_cast<float>(static_cast<double>(end) * bins.width), levels);
    return {std::clamp(found.min, whole.min, 0.0f), std::clamp(found.max, 0.0f, whole.max)};
  }
};

}  // namespace

std::unique_ptr<Observer> build_mse(const ObserverOptions& options) { return std::make_unique<MSEObserver>(options); }

std::unique_ptr<Observer> build_percentile(const ObserverOptions& options) {
  return std::make_unique<PercentileObserver>(options);
}

std::unique_ptr<Observer> build_entropy(const ObserverOptions& options) {
  return std::make_unique<EntropyObserver>(options);
}

std::unique_ptr<Observer> build_mergeable_histogram(const ObserverOptions& options) {
  return std::make_unique<MergeableHistogramObserver>(options);
}

}  // namespace qdq
