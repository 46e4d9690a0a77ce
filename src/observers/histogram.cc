#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "observers/bin_counts.h"
#include "observers/build.h"
#include "observers/histogram_remap.h"
#include "observers/histogram_search.h"
#include "observers/kernels.h"
#include "observers/uniform.h"
#include "qdq/error.h"

namespace qdq {
namespace {

// Counts values in equal bins over the range seen so far, and gives up outliers where that lowers the squared
// quantization error.
class HistogramObserver : public UniformObserver {
 public:
  explicit HistogramObserver(const ObserverOptions& options)
      : UniformObserver("HistogramObserver", options, QScheme::per_tensor_affine) {
    if (is_dynamic_) refuse("histograms cannot be dynamic");
    if (is_floating_point(dtype_)) refuse("an integer dtype expected, found " + std::string(name(dtype_)));
    const std::int64_t bins = options.bins.value_or(2048);
    if (bins < 1 || bins > kMaxBins)
      refuse("1 to " + std::to_string(kMaxBins) + " bins expected, found " + std::to_string(bins));
    histogram_.assign(static_cast<std::size_t>(bins), 0.0f);
    min_val_ = {kInfinity};
    max_val_ = {-kInfinity};
  }

  void observe(const Tensor& value) override {
    if (value.numel() == 0) return;
    forget_latest();
    Tensor x = float_values(value, true);
    // Late batches mostly lie inside the range that is known. Whether one does is seen while it is counted, which would
    // be wasted too often on early ones.
    if (min_val_[0] < max_val_[0] && inside_ >= 2 && count(x, {min_val_[0], max_val_[0]})) return;
    Extremes batch = observer_kernels().min_max(x.data<float>(), x.numel());
    const bool has_infinities = batch.min == -kInfinity || batch.max == kInfinity;
    if (has_infinities) {
      x = finite_values(x);
      if (x.numel() == 0) return;
      batch = observer_kernels().min_max(x.data<float>(), x.numel());
    }
    if (std::isnan(batch.min))
      refuse("found NaN in values of sizes " + to_string(value.sizes()) + "; a histogram needs numbers");
    if (!count(x, {std::min(batch.min, min_val_[0]), std::max(batch.max, max_val_[0])}))
      throw InternalError("a histogram found values outside their range");
    if (has_infinities) forget_latest();
  }

  // The bin of a value never falls as the value grows, so clamped values fill the bins between those of the bounds as
  // before, and all that lies beyond collapses into these two.
  bool observe_again(float low, float high) override {
    // Not when the clamped values would widen the range.
    if (!latest_ || low > max_val_[0] || high < min_val_[0]) return false;
    const Bins bins = bins_over(min_val_[0], max_val_[0]);
    const std::size_t first = low > min_val_[0] ? bin_of(low, bins) : 0;
    const std::size_t last = high < max_val_[0] ? bin_of(high, bins) : histogram_.size() - 1;
    std::vector<double>& counts = *latest_;
    for (std::size_t i = 0; i < first; ++i) counts[first] += std::exchange(counts[i], 0.0);
    for (std::size_t i = last + 1; i < counts.size(); ++i) counts[last] += std::exchange(counts[i], 0.0);
    add(counts);
    return true;
  }

  QParams calculate_qparams() const override {
    if (!has_observed()) return default_qparams();
    const double levels = std::ldexp(1.0, static_cast<int>(8 * element_size(dtype_)));
    const HistogramRange range = search_histogram_range(histogram_, min_val_[0], max_val_[0], levels);
    return qparams_for({&range.min, 1}, {&range.max, 1});
  }

  ObserverState save_state() const override {
    ObserverState state = UniformObserver::save_state();
    state.buffers.insert(
        state.buffers.begin() + 1,
        {"histogram", Tensor::from<float>(histogram_, {static_cast<std::int64_t>(histogram_.size())})});
    return state;
  }

  void load_state(const ObserverState& state) override {
    const Tensor* found = state.find("histogram");
    if (found == nullptr) refuse("the state has no buffer 'histogram'");
    if (found->sizes() != Shape{static_cast<std::int64_t>(histogram_.size())})
      refuse(std::to_string(histogram_.size()) + " bins expected, found a histogram of sizes " +
             to_string(found->sizes()));
    const Tensor counts = float_values(*found, false);
    for (const float count : std::span(counts.data<float>(), histogram_.size()))
      if (!std::isfinite(count) || count < 0) refuse("the histogram holds " + std::to_string(count));
    UniformObserver::load_state(state);
    latest_.reset();
    std::copy_n(counts.data<float>(), histogram_.size(), histogram_.begin());
  }

 private:
  static constexpr std::int64_t kMaxBins = 1 << 20;

  static Tensor finite_values(const Tensor& x) {
    std::vector<float> kept;
    kept.reserve(static_cast<std::size_t>(x.numel()));
    const float* values = x.data<float>();
    std::copy_if(values, values + x.numel(), std::back_inserter(kept), [](float v) { return !std::isinf(v); });
    return Tensor::from<float>(kept, {static_cast<std::int64_t>(kept.size())});
  }

  void forget_latest() {
    if (latest_) memory_ = *std::exchange(latest_, std::nullopt);
  }

  // Adds x, all of whose values lie inside `range`, which includes what was seen before. False, and nothing is added,
  // when they do not.
  bool count(const Tensor& x, Extremes range) {
    BinCounts counts(bins_over(range.min, range.max), x.numel(), std::move(memory_));
    if (!counts.add(x.data<float>(), x.numel())) return false;
    latest_ = counts.take();
    widen(range);
    add(*latest_);
    return true;
  }

  // Lays the bins over a range that includes the present one.
  void widen(Extremes range) {
    const float old_min = std::exchange(min_val_[0], range.min), old_max = std::exchange(max_val_[0], range.max);
    if (range.min == old_min && range.max == old_max) {
      ++inside_;
      return;
    }
    inside_ = 0;
    std::vector<float> wider(histogram_.size(), 0.0f);
    if (old_min == old_max)
      wider[bin_of(old_min, bins_over(range.min, range.max))] = torch_sum(histogram_);
    else if (old_min < old_max)
      add_remapped(histogram_, old_min, old_max, range.min, range.max, wider);
    histogram_ = std::move(wider);
  }

  void add(std::span<const double> counts) {
    for (std::size_t i = 0; i < histogram_.size(); ++i) histogram_[i] += static_cast<float>(counts[i]);
  }

  Bins bins_over(float low, float high) const {
    if (low == high) {  // a point is put into the middle of a range of its own
      const float point = low;
      low = std::min(point - 1.0f, std::nextafter(point, -kInfinity));
      high = std::max(point + 1.0f, std::nextafter(point, kInfinity));
    }
    const Bins bins{low, high, static_cast<std::int64_t>(histogram_.size())};
    if (!std::isfinite((high - low) * static_cast<float>(bins.bins)))
      refuse("the range " + std::to_string(low) + " to " + std::to_string(high) + " is too wide for float32 bins");
    return bins;
  }

  std::vector<float> histogram_;
  std::int64_t inside_ = 0;  // observations since the range was widened
  // The latest values in bins over the present range, one number per bin; empty when some were left out.
  std::optional<std::vector<double>> latest_;
  std::vector<double> memory_;  // of counts that are not needed any more
};

}  // namespace

std::unique_ptr<Observer> build_histogram(const ObserverOptions& options) {
  return std::make_unique<HistogramObserver>(options);
}

}  // namespace qdq
