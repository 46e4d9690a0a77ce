#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "observers/build.h"
#include "observers/histogram_remap.h"
#include "observers/histogram_search.h"
#include "observers/kernels.h"
#include "observers/uniform.h"

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
    Tensor x = float_values(value, true);
    Extremes batch = observer_kernels().min_max(x.data<float>(), x.numel());
    if (batch.min == -kInfinity || batch.max == kInfinity) {
      x = finite_values(x);
      if (x.numel() == 0) return;
      batch = observer_kernels().min_max(x.data<float>(), x.numel());
    }
    if (std::isnan(batch.min))
      refuse("found NaN in values of sizes " + to_string(value.sizes()) + "; a histogram needs numbers");
    add(x, batch);
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
    UniformObserver::load_state(state);
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

  void add(const Tensor& x, Extremes batch) {
    const float old_min = min_val_[0], old_max = max_val_[0];
    const bool first = !has_observed();
    const float new_min = std::min(batch.min, old_min), new_max = std::max(batch.max, old_max);
    std::vector<float> counts = histc(x.data<float>(), x.numel(), new_min, new_max);
    if (first) {
      histogram_ = std::move(counts);
    } else if (new_min == old_min && new_max == old_max) {
      for (std::size_t i = 0; i < counts.size(); ++i) histogram_[i] += counts[i];
    } else if (old_min == old_max) {
      const float total = torch_sum(histogram_);
      const std::vector<float> point = histc(&old_min, 1, new_min, new_max);
      histogram_ = std::move(counts);
      for (std::size_t i = 0; i < point.size(); ++i) histogram_[i] += point[i] * total;
    } else {
      add_remapped(histogram_, old_min, old_max, new_min, new_max, counts);
      histogram_ = std::move(counts);
    }
    min_val_[0] = new_min;
    max_val_[0] = new_max;
  }

  // torch.histc of finite values inside [low, high]. Counts are exact and then rounded to float32 once.
  std::vector<float> histc(const float* values, std::int64_t count, float low, float high) const {
    if (low == high) {  // a point is put into the middle of a range of its own
      const float point = low;
      low = std::min(point - 1.0f, std::nextafter(point, -kInfinity));
      high = std::max(point + 1.0f, std::nextafter(point, kInfinity));
    }
    const Bins bins{low, high, static_cast<std::int64_t>(histogram_.size())};
    if (!std::isfinite((high - low) * static_cast<float>(bins.bins)))
      refuse("the range " + std::to_string(low) + " to " + std::to_string(high) + " is too wide for float32 bins");
    constexpr std::int64_t kChunk = std::int64_t{1} << 30;  // a chunk cannot overflow its uint32 counts
    std::vector<float> result(histogram_.size(), 0.0f);
    std::vector<std::uint32_t> counts(histogram_.size());
    std::vector<std::uint64_t> total(histogram_.size(), 0);
    for (std::int64_t done = 0; done < count; done += kChunk) {
      std::ranges::fill(counts, 0);
      observer_kernels().count_into_bins(values + done, std::min(kChunk, count - done), bins, counts.data());
      for (std::size_t i = 0; i < counts.size(); ++i) total[i] += counts[i];
    }
    for (std::size_t i = 0; i < total.size(); ++i) result[i] = static_cast<float>(total[i]);
    return result;
  }

  std::vector<float> histogram_;
};

}  // namespace

std::unique_ptr<Observer> build_histogram(const ObserverOptions& options) {
  return std::make_unique<HistogramObserver>(options);
}

}  // namespace qdq
