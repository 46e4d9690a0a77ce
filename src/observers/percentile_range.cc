#include <algorithm>
#include <vector>

#include "observers/range_search.h"

namespace qdq {
namespace {

// `count` values that lie evenly from `from` to `to`, or all on one number.
struct Stretch {
  double from, to, count;
};

std::vector<Stretch> stretches_of(const Distribution& distribution) {
  std::vector<Stretch> result;
  for (std::size_t i = 0; i < distribution.counts.size(); ++i) {
    const double value = distribution.is_exact() ? static_cast<double>(distribution.values[i]) : 0.0;
    if (distribution.is_exact())
      result.push_back({value, value, distribution.counts[i]});
    else
      result.push_back({distribution.edges[i], distribution.edges[i + 1], distribution.counts[i]});
  }
  const auto positive = std::find_if(result.begin(), result.end(), [](const Stretch& s) { return s.from >= 0.0; });
  result.insert(positive, {0.0, 0.0, distribution.zeros});
  return result;
}

std::vector<Stretch> negated(std::vector<Stretch> stretches) {
  for (Stretch& s : stretches) s = {-s.to, -s.from, s.count};
  std::reverse(stretches.begin(), stretches.end());
  return stretches;
}

// The magnitudes. Bins of both signs that cover each other become one.
std::vector<Stretch> folded(const std::vector<Stretch>& stretches) {
  std::vector<Stretch> magnitudes;
  for (const Stretch& s : stretches) magnitudes.push_back(s.from < 0.0 ? Stretch{-s.to, -s.from, s.count} : s);
  std::stable_sort(magnitudes.begin(), magnitudes.end(), [](const Stretch& a, const Stretch& b) {
    return a.from < b.from || (a.from == b.from && a.to < b.to);
  });
  std::vector<Stretch> result;
  for (const Stretch& s : magnitudes) {
    if (!result.empty() && result.back().from < result.back().to && s.from < result.back().to) {
      result.back().to = std::max(result.back().to, s.to);
      result.back().count += s.count;
    } else {
      result.push_back(s);
    }
  }
  return result;
}

// The smallest number with `share` of the values at or below it.
double quantile(const std::vector<Stretch>& ascending, double share) {
  double total = 0.0;
  for (const Stretch& s : ascending) total += s.count;
  const double wanted = share * total - 1e-6;  // the share itself is rounded; counts are whole
  double below = 0.0;
  for (const Stretch& s : ascending) {
    if (s.count > 0.0 && below + s.count >= wanted)
      return s.from + std::clamp((wanted - below) / s.count, 0.0, 1.0) * (s.to - s.from);
    below += s.count;
  }
  return ascending.back().to;
}

}  // namespace

Range percentile_range(const Distribution& distribution, bool symmetric, double percentile) {
  const float low = std::min(distribution.min, 0.0f), high = std::max(distribution.max, 0.0f);
  if (percentile >= 100.0) return {low, high};
  const std::vector<Stretch> stretches = stretches_of(distribution);
  double min, max;
  if (symmetric) {
    max = quantile(folded(stretches), percentile / 100.0);
    min = -max;
  } else {
    const double share = (100.0 + percentile) / 200.0;
    max = quantile(stretches, share);
    min = -quantile(negated(stretches), share);
  }
  return {std::clamp(static_cast<float>(min), low, 0.0f), std::clamp(static_cast<float>(max), 0.0f, high)};
}

}  // namespace qdq
