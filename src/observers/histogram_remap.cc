#include "observers/histogram_remap.h"

#include <algorithm>
#include <cmath>

namespace qdq {
namespace {

constexpr std::int64_t kParts = 16;

// How many of the sorted `edges` are <= value. linspace can go down by a rounding error in the middle when the bins are
// as narrow as that: then the answer is that of torch's bisection.
class UpperBound {
 public:
  explicit UpperBound(std::span<const float> edges) : edges_(edges), sorted_(std::ranges::is_sorted(edges)) {}

  std::size_t operator()(float value) {
    if (!sorted_) return bisect(value);
    // Successive values are close to each other: walk from the last answer.
    while (last_ < edges_.size() && edges_[last_] <= value) ++last_;
    while (last_ > 0 && edges_[last_ - 1] > value) --last_;
    return last_;
  }

 private:
  std::size_t bisect(float value) const {
    std::size_t low = 0, high = edges_.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (!(edges_[middle] > value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  std::span<const float> edges_;
  bool sorted_;
  std::size_t last_ = 0;
};

}  // namespace

std::vector<float> linspace(float start, float end, std::int64_t points) {
  std::vector<float> result(static_cast<std::size_t>(points));
  const float step = (end - start) / static_cast<float>(points - 1);
  for (std::int64_t i = 0; i < points; ++i)
    result[static_cast<std::size_t>(i)] = i < points / 2 ? std::fma(step, static_cast<float>(i), start)
                                                         : std::fma(-step, static_cast<float>(points - 1 - i), end);
  return result;
}

void add_remapped(std::span<const float> old_histogram, float old_min, float old_max, float new_min, float new_max,
                  std::span<float> histogram) {
  const auto bins = static_cast<std::int64_t>(old_histogram.size());
  const std::vector<float> part_edges = linspace(old_min, old_max, bins * kParts + 1);
  const std::vector<float> new_edges = linspace(new_min, new_max, bins + 1);
  const float half_part = 0.5f * ((old_max - old_min) / static_cast<float>(bins * kParts));
  UpperBound edges_below(new_edges);
  // Summed apart from the new counts, in the order of the parts: float32 addition is not associative.
  std::vector<float> remapped(old_histogram.size(), 0.0f);
  for (std::size_t bin = 0; bin < old_histogram.size(); ++bin) {
    if (old_histogram[bin] == 0.0f) continue;
    const float part = old_histogram[bin] / static_cast<float>(kParts);
    for (std::size_t k = 0; k < kParts; ++k) {
      const float centre = part_edges[bin * kParts + k] + half_part;
      const auto below = static_cast<std::int64_t>(edges_below(centre));
      remapped[static_cast<std::size_t>(std::clamp<std::int64_t>(below - 1, 0, bins - 1))] += part;
    }
  }
  for (std::size_t i = 0; i < histogram.size(); ++i) histogram[i] += remapped[i];
}

}  // namespace qdq
