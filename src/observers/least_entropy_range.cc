#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "observers/range_search.h"

namespace qdq {
namespace {

double times_log(double x) { return x > 0.0 ? x * std::log(x) : 0.0; }

// Relative entropies over stretches of some bins, from running sums.
class Divergence {
 public:
  explicit Divergence(std::vector<double> counts) : counts_(std::move(counts)) {
    sums_.push_back({});
    for (const double count : counts_) {
      const Sums& last = sums_.back();
      sums_.push_back({last.count + count, last.used + (count > 0.0 ? 1.0 : 0.0), last.log + times_log(count)});
    }
  }
  std::size_t bins() const { return counts_.size(); }

  // For the bins first..last - 1 in `levels` stretches, last - first at least.
  double operator()(std::size_t first, std::size_t last, std::size_t levels) const {
    const double total = sums_.back().count, left = sums_[first].count, right = total - sums_[last].count;
    const double inside = sums_[last].count - sums_[first].count;
    // Clipped values in a bin that Q leaves empty: infinitely unlike.
    if ((left > 0.0 && counts_[first] == 0.0) || (right > 0.0 && counts_[last - 1] == 0.0) || inside == 0.0)
      return std::numeric_limits<double>::infinity();
    double p_log_p = sums_[last].log - sums_[first].log;
    const bool one_bin = last - first == 1;
    p_log_p += times_log(counts_[first] + left + (one_bin ? right : 0.0)) - times_log(counts_[first]);
    if (!one_bin) p_log_p += times_log(counts_[last - 1] + right) - times_log(counts_[last - 1]);

    double p_log_q = 0.0;
    const std::size_t size = last - first;
    for (std::size_t level = 0, from = first; level < levels; ++level) {
      const std::size_t to = first + ((level + 1) * size + levels - 1) / levels;
      const double count = sums_[to].count - sums_[from].count;
      const double clipped = (from == first ? left : 0.0) + (to == last ? right : 0.0);
      if (count > 0.0) p_log_q += (count + clipped) * std::log(count / (sums_[to].used - sums_[from].used));
      from = to;
    }
    return (p_log_p - p_log_q) / total - std::log(total) + std::log(inside);
  }

 private:
  struct Sums {
    double count = 0.0, used = 0.0, log = 0.0;
  };
  std::vector<double> counts_;
  std::vector<Sums> sums_;  // over the bins before
};

// Bins by magnitude.
std::vector<double> folded(const Distribution& d) {
  const std::int64_t end = d.first + static_cast<std::int64_t>(d.counts.size());
  std::vector<double> result(static_cast<std::size_t>(std::max(-d.first, end)), 0.0);
  for (std::int64_t bin = d.first; bin < end; ++bin)
    result[static_cast<std::size_t>(bin < 0 ? -1 - bin : bin)] += d.counts[static_cast<std::size_t>(bin - d.first)];
  return result;
}

// All bins from the least to the largest, those about zero included.
std::vector<double> with_zero(const Distribution& d) {
  const std::int64_t end = d.first + static_cast<std::int64_t>(d.counts.size());
  std::vector<double> result(static_cast<std::size_t>(std::max<std::int64_t>(d.first, 0)), 0.0);
  result.insert(result.end(), d.counts.begin(), d.counts.end());
  result.resize(result.size() + static_cast<std::size_t>(std::max<std::int64_t>(-end, 0)), 0.0);
  return result;
}

}  // namespace

Range least_entropy_range(const Distribution& distribution, bool symmetric, std::int64_t levels) {
  const Range whole{std::min(distribution.min, 0.0f), std::max(distribution.max, 0.0f)};
  if (distribution.counts.empty()) return whole;
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(symmetric ? levels / 2 : levels, 1));
  const Divergence divergence(symmetric ? folded(distribution) : with_zero(distribution));
  const auto negative = static_cast<std::size_t>(symmetric ? 0 : std::max<std::int64_t>(-distribution.first, 0));
  const std::size_t positive = divergence.bins() - negative;
  const std::size_t furthest = std::max(negative, positive);

  // From the widest: of equals, the one that clips least.
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = furthest;
  for (std::size_t threshold = furthest; threshold > 0; --threshold) {
    const std::size_t first = negative - std::min(threshold, negative), last = negative + std::min(threshold, positive);
    if (last - first < wanted) break;
    const double found = divergence(first, last, wanted);
    if (found < least) {
      least = found;
      best = threshold;
    }
  }
  if (best == furthest) return whole;
  const auto threshold = static_cast<float>(static_cast<double>(best) * distribution.width);
  return {std::max(whole.min, -threshold), std::min(whole.max, threshold)};
}

}  // namespace qdq
