#include "observers/mergeable_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "qdq/error.h"

namespace qdq {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Below this the reciprocal of a width is no float32.
constexpr std::int64_t kMinExponent = -126;

[[noreturn]] void refuse(const std::string& why) {
  throw InvalidArgumentError("[observe] the state of a mergeable histogram: " + why);
}

void divide_by_common_divisor(std::vector<std::uint64_t>& counts, std::uint64_t& zeros) {
  std::uint64_t divisor = zeros;
  for (const std::uint64_t count : counts)
    if (divisor != 1) divisor = std::gcd(divisor, count);
  if (divisor <= 1) return;
  zeros /= divisor;
  for (std::uint64_t& count : counts) count /= divisor;
}

}  // namespace

MergeableHistogram::MergeableHistogram(std::int64_t bins) : bins_(bins), state_{kInfinity, -kInfinity, 0, {}, 0, {}} {
  if (bins < kMinBins || bins > kMaxBins || !std::has_single_bit(static_cast<std::uint64_t>(bins)))
    throw InvalidArgumentError("[observe] a mergeable histogram has a power of two of bins, " +
                               std::to_string(kMinBins) + " to " + std::to_string(kMaxBins) + "; found " +
                               std::to_string(bins));
}

void MergeableHistogram::add(const float* values, std::int64_t count, Extremes bounds) {
  if (count == 0) return;
  state_.min = std::min(state_.min, bounds.min);
  state_.max = std::max(state_.max, bounds.max);
  if (state_.counts.empty()) {
    if (const auto distinct = distinct_values(values, count, kMaxValues); distinct && keep(distinct->nonzero)) {
      state_.zeros += distinct->zeros;
      return;
    }
  }
  use_bins();
  count_in_bins(values, count);
}

void MergeableHistogram::merge(const MergeableHistogram& other) {
  state_.min = std::min(state_.min, other.state_.min);
  state_.max = std::max(state_.max, other.state_.max);
  state_.zeros += other.state_.zeros;
  if (other.state_.counts.empty()) {
    if (state_.counts.empty() && keep(other.state_.values)) return;
    use_bins();
    const DistinctValues& more = other.state_.values;
    for (std::size_t i = 0; i < more.values.size(); ++i) state_.counts[index_of(more.values[i])] += more.count(i);
    return;
  }
  use_bins();
  const std::int64_t shift = state_.exponent - other.state_.exponent;
  for (std::int64_t i = -side(); i < side(); ++i)
    state_.counts[static_cast<std::size_t>((i >> std::min<std::int64_t>(shift, 63)) + side())] +=
        other.state_.counts[static_cast<std::size_t>(i + side())];
}

std::int64_t MergeableHistogram::wanted_exponent() const {
  const float magnitude = std::max(-state_.min, state_.max);
  if (magnitude <= 0.0f) return kMinExponent;
  return std::max<std::int64_t>(std::ilogb(magnitude) - std::countr_zero(static_cast<std::uint64_t>(bins_)),
                                kMinExponent);
}

std::size_t MergeableHistogram::index_of(float value) const {
  const auto bin = static_cast<std::int64_t>(std::ldexp(std::fabs(value), static_cast<int>(-state_.exponent)));
  return static_cast<std::size_t>((value < 0.0f ? -1 - bin : bin) + side());
}

bool MergeableHistogram::keep(const DistinctValues& more) {
  DistinctValues both = united(state_.values, more);
  if (both.values.size() > kMaxValues) return false;
  state_.values = std::move(both);
  return true;
}

void MergeableHistogram::use_bins() {
  const std::int64_t exponent = wanted_exponent();
  if (state_.counts.empty()) {
    state_.exponent = exponent;
    state_.counts.assign(static_cast<std::size_t>(2 * side()), 0);
    for (std::size_t i = 0; i < state_.values.values.size(); ++i)
      state_.counts[index_of(state_.values.values[i])] += state_.values.count(i);
    state_.values = {};
    return;
  }
  if (exponent == state_.exponent) return;
  const std::int64_t shift = std::min<std::int64_t>(exponent - state_.exponent, 63);
  std::vector<std::uint64_t> wider(state_.counts.size(), 0);
  for (std::int64_t i = -side(); i < side(); ++i)
    wider[static_cast<std::size_t>((i >> shift) + side())] += state_.counts[static_cast<std::size_t>(i + side())];
  state_.counts = std::move(wider);
  state_.exponent = exponent;
}

void MergeableHistogram::count_in_bins(const float* values, std::int64_t count) {
  constexpr std::int64_t kChunk = std::int64_t{1} << 30;  // a chunk cannot overflow its uint32 counts
  std::vector<std::uint32_t> counts(state_.counts.size());
  const auto inverse_width = static_cast<float>(std::ldexp(1.0, static_cast<int>(-state_.exponent)));
  for (std::int64_t done = 0; done < count; done += kChunk) {
    std::ranges::fill(counts, 0u);
    state_.zeros += static_cast<std::uint64_t>(
        observer_kernels().count_on_grid(values + done, std::min(kChunk, count - done), inverse_width, counts));
    for (std::size_t i = 0; i < counts.size(); ++i) state_.counts[i] += counts[i];
  }
}

Distribution MergeableHistogram::distribution() const {
  if (!state_.counts.empty()) return binned_distribution();
  Distribution result{.min = state_.min, .max = state_.max, .values = state_.values.values};
  std::vector<std::uint64_t> counts = state_.values.counts;
  counts.resize(result.values.size(), 1);
  std::uint64_t zeros = state_.zeros;
  divide_by_common_divisor(counts, zeros);
  result.zeros = static_cast<double>(zeros);
  result.counts.assign(counts.begin(), counts.end());
  return result;
}

Distribution MergeableHistogram::binned_distribution() const {
  if (state_.counts.empty()) {
    MergeableHistogram bins = *this;
    bins.use_bins();
    return bins.binned_distribution();
  }
  Distribution result{.min = state_.min, .max = state_.max};
  std::vector<std::uint64_t> counts = state_.counts;
  std::uint64_t zeros = state_.zeros;
  divide_by_common_divisor(counts, zeros);
  result.zeros = static_cast<double>(zeros);
  const auto used = [](std::uint64_t n) { return n != 0; };
  const auto first = std::find_if(counts.begin(), counts.end(), used);
  const auto last = std::find_if(counts.rbegin(), std::make_reverse_iterator(first), used).base();
  if (first == last) return result;
  result.counts.assign(first, last);
  result.first = (first - counts.begin()) - side();
  result.width = std::ldexp(1.0, static_cast<int>(state_.exponent));
  for (std::int64_t i = 0; i <= last - first; ++i)
    result.edges.push_back(static_cast<double>(result.first + i) * result.width);
  const auto low = static_cast<double>(state_.min), high = static_cast<double>(state_.max);
  if (low > result.edges[0] && low < result.edges[1]) result.edges.front() = low;
  if (high < result.edges.back() && high > result.edges[result.edges.size() - 2]) result.edges.back() = high;
  return result;
}

void MergeableHistogram::set_state(State state) {
  const DistinctValues& values = state.values;
  if (!values.counts.empty() && values.counts.size() != values.values.size())
    refuse(std::to_string(values.values.size()) + " values but " + std::to_string(values.counts.size()) + " counts");
  if (values.values.size() > kMaxValues) refuse("more than " + std::to_string(kMaxValues) + " values");
  for (std::size_t i = 0; i < values.values.size(); ++i)
    if (!std::isfinite(values.values[i]) || values.values[i] == 0.0f || values.count(i) == 0 ||
        (i > 0 && !(values.values[i - 1] < values.values[i])))
      refuse("ascending finite values other than zero expected, each with a count");
  if (!state.counts.empty() && (static_cast<std::int64_t>(state.counts.size()) != 2 * side() || !values.values.empty()))
    refuse(std::to_string(2 * side()) + " bins expected and no values beside them, found " +
           std::to_string(state.counts.size()) + " and " + std::to_string(values.values.size()));
  const bool nothing = state.zeros == 0 && values.values.empty() && state.counts.empty();
  if (nothing ? state.min != kInfinity || state.max != -kInfinity
              : !std::isfinite(state.min) || !std::isfinite(state.max) || state.min > state.max)
    refuse("the bounds " + std::to_string(state.min) + " and " + std::to_string(state.max) + " do not fit the counts");
  MergeableHistogram result(bins_);
  result.state_ = std::move(state);
  if (!result.state_.counts.empty() && result.state_.exponent != result.wanted_exponent())
    refuse("bins of width 2^" + std::to_string(result.wanted_exponent()) + " expected for these bounds, found 2^" +
           std::to_string(result.state_.exponent));
  state_ = std::move(result.state_);
}

}  // namespace qdq
