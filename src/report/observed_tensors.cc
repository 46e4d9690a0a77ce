#include <algorithm>
#include <unordered_set>

#include "observers/mergeable_state.h"
#include "qdq/report.h"

namespace qdq {
namespace {

using Shares = std::vector<double>;

// Counts in bins of equal width from `min` to `max`.
class Bins {
 public:
  Bins(double min, double max, std::size_t count) : min_(min), width_((max - min) / static_cast<double>(count)) {
    counts_.resize(count);
  }

  // `count` values that lie evenly from `low` to `high`; at one point when these are equal.
  void add(double low, double high, double count) {
    const double last = static_cast<double>(counts_.size());
    const double from = width_ > 0 ? std::clamp((low - min_) / width_, 0.0, last) : 0.0;
    const double to = width_ > 0 ? std::clamp((high - min_) / width_, from, last) : 0.0;
    const std::size_t first = std::min(static_cast<std::size_t>(from), counts_.size() - 1);
    if (to - from < 1e-12) {
      counts_[first] += count;
      return;
    }
    for (std::size_t i = first; i < counts_.size() && static_cast<double>(i) < to; ++i) {
      const double part = std::min(to, static_cast<double>(i + 1)) - std::max(from, static_cast<double>(i));
      counts_[i] += count * part / (to - from);
    }
  }

  Shares shares() && {
    double sum = 0;
    for (const double count : counts_) sum += count;
    if (!(sum > 0)) return {};
    for (double& count : counts_) count /= sum;
    return std::move(counts_);
  }

 private:
  double min_;
  double width_;
  std::vector<double> counts_;
};

// HistogramObserver's own bins are of equal width already.
Shares shares_of_histogram(const Tensor& histogram, double min, double max, std::size_t bins) {
  const Tensor counts = histogram.to(DType::float64).contiguous();
  const auto size = static_cast<std::size_t>(counts.numel());
  Bins result(min, max, std::min(bins, std::max<std::size_t>(size, 1)));
  const double width = (max - min) / static_cast<double>(size);
  for (std::size_t i = 0; i < size; ++i)
    result.add(min + static_cast<double>(i) * width, min + static_cast<double>(i + 1) * width,
               counts.data<double>()[i]);
  return std::move(result).shares();
}

Shares shares_of_distribution(const Distribution& seen, std::size_t bins) {
  Bins result(seen.min, seen.max, bins);
  result.add(0, 0, seen.zeros);
  for (std::size_t i = 0; i < seen.counts.size(); ++i) {
    const double low = seen.is_exact() ? static_cast<double>(seen.values[i]) : seen.edges[i];
    const double high = seen.is_exact() ? low : seen.edges[i + 1];
    result.add(low, high, seen.counts[i]);
  }
  return std::move(result).shares();
}

Shares shares_of(const Observer& observer, double min, double max, std::size_t bins) {
  const ObserverState state = observer.save_state();
  const Tensor* const histogram = state.find("histogram");
  if (!histogram || is_per_channel(observer.qscheme())) return {};
  if (!state.find("kept")) return shares_of_histogram(*histogram, min, max, bins);
  const std::int64_t rows = histogram->numel() == 0 ? 0 : histogram->sizes()[0];
  const std::int64_t own_bins =
      rows == 0 ? MergeableHistogram::kMinBins : histogram->numel() / rows / 4;  // the state has 4 * bins of them
  const auto histograms = histograms_of(state, own_bins);
  return histograms.size() == 1 ? shares_of_distribution(histograms[0].distribution(), bins) : Shares();
}

}  // namespace

std::vector<ObservedTensor> observed_tensors(const PreparedProgram& prepared, std::size_t bins) {
  std::vector<ObservedTensor> result;
  std::unordered_set<std::string_view> seen;
  for (const Node& call : prepared.program().graph().nodes()) {
    if (call.kind() != NodeKind::call_module || !call.input(0)) continue;
    const auto found = prepared.observers().find(call.target());
    if (found == prepared.observers().end() || !seen.insert(call.input(0)->name()).second) continue;
    const Observer& observer = *found->second;
    const auto bounds = observed_bounds(observer);
    if (!bounds) continue;
    const auto [min, max] = *bounds;
    result.push_back({call.input(0)->name(), std::string(observer.kind()), min, max,
                      shares_of(observer, min, max, std::max<std::size_t>(bins, 1))});
  }
  return result;
}

}  // namespace qdq
