#include "observers/histogram_search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <vector>

#include "observers/kernels.h"

namespace qdq {
namespace {

constexpr double kStep = 1e-5;  // the share of values given up per step

// The bins at which a share of the values lies below. PyTorch scans from the current range at every step; the share only
// ever grows, so one walk over the bins is enough.
class Quantiles {
 public:
  explicit Quantiles(std::span<const float> histogram) : total_(static_cast<double>(torch_sum(histogram))) {
    cumulative_.reserve(histogram.size());
    double sum = 0;
    for (float count : histogram) cumulative_.push_back(static_cast<float>(sum += static_cast<double>(count)));
    high_ = histogram.size() - 1;
  }
  // The first bin where the values up to it reach `share`, `end` at most.
  std::size_t low(double share, std::size_t end) {
    const auto wanted = static_cast<float>(share * total_);
    while (low_ < cumulative_.size() && cumulative_[low_] < wanted) ++low_;
    return std::min(low_, end);
  }
  // The last bin where the values up to it do not exceed `share`, `start` at least.
  std::size_t high(double share, std::size_t start) {
    const auto wanted = static_cast<float>(share * total_);
    while (high_ > 0 && cumulative_[high_] > wanted) --high_;
    return std::max(high_, start);
  }

 private:
  double total_;
  std::vector<float> cumulative_;
  std::size_t low_ = 0;
  std::size_t high_;
};

class SquaredError {
 public:
  SquaredError(std::span<const float> histogram, float min, float max, double levels)
      : width_((static_cast<double>(max) - static_cast<double>(min)) / static_cast<double>(histogram.size())),
        levels_(levels),
        density_(histogram.size()),
        errors_(histogram.size()) {
    for (std::size_t i = 0; i < histogram.size(); ++i) density_[i] = histogram[i] / static_cast<float>(width_);
  }

  double operator()(std::size_t start, std::size_t end) {
    const double level_width = width_ * static_cast<double>(end - start + 1) / levels_;
    if (level_width == 0.0) return 0.0;
    observer_kernels().level_errors(
        {density_, static_cast<float>(width_), static_cast<std::int64_t>(start), static_cast<float>(level_width),
         static_cast<float>(level_width / 2), static_cast<float>(levels_ - 1)},
        errors_);
    return static_cast<double>(torch_sum(errors_));
  }

 private:
  double width_;
  double levels_;
  std::vector<float> density_;
  std::vector<float> errors_;
};

}  // namespace

HistogramRange search_histogram_range(std::span<const float> histogram, float min, float max, double levels) {
  Quantiles quantiles(histogram);
  SquaredError error(histogram, min, max, levels);
  double alpha = 0.0, beta = 1.0, best = std::numeric_limits<double>::infinity();
  std::size_t start = 0, end = histogram.size() - 1;
  while (alpha < beta) {
    const double next_alpha = alpha + kStep, next_beta = beta - kStep;
    const std::size_t low = quantiles.low(next_alpha, end), high = quantiles.high(next_beta, start);
    std::size_t next_start = start, next_end = end;
    // The side with more nearly empty bins to gain gives way.
    if (static_cast<std::int64_t>(low - start) > static_cast<std::int64_t>(end - high)) {
      next_start = low;
      alpha = next_alpha;
    } else {
      next_end = high;
      beta = next_beta;
    }
    if (next_start == start && next_end == end) continue;
    const double next_error = error(next_start, next_end);
    if (next_error > best) break;
    best = next_error;
    start = next_start;
    end = next_end;
  }
  const float width = (max - min) / static_cast<float>(histogram.size());
  return {min + width * static_cast<float>(start), min + width * static_cast<float>(end + 1)};
}

float torch_sum(std::span<const float> values) {
  // torch adds rows of 4 vectors of 8 lanes into 4 levels of partial sums: 16 rows (more for long inputs) at the lowest
  // level, then those sums one level up, and so on.
  constexpr std::size_t kLanes = 8, kVectors = 4, kRow = kLanes * kVectors, kLevels = 4;
  const std::size_t vectors = values.size() / kLanes, rows = vectors / kVectors;
  const auto log2_rows = static_cast<std::size_t>(rows <= 1 ? 0 : std::bit_width(rows - 1));
  const std::size_t level_power = std::max<std::size_t>(4, log2_rows / kLevels);
  const std::size_t level_step = std::size_t{1} << level_power, level_mask = level_step - 1;
  std::array<std::array<float, kRow>, kLevels> partial{};
  std::size_t row = 0;
  const auto add_row = [&] {
    for (std::size_t k = 0; k < kRow; ++k) partial[0][k] += values[row * kRow + k];
    ++row;
  };
  while (row + level_step <= rows) {
    for (std::size_t j = 0; j < level_step; ++j) add_row();
    for (std::size_t level = 1; level < kLevels; ++level) {
      for (std::size_t k = 0; k < kRow; ++k) {
        partial[level][k] += partial[level - 1][k];
        partial[level - 1][k] = 0.0f;
      }
      if ((row & (level_mask << (level * level_power))) != 0) break;
    }
  }
  while (row < rows) add_row();
  for (std::size_t level = 1; level < kLevels; ++level)
    for (std::size_t k = 0; k < kRow; ++k) partial[0][k] += partial[level][k];

  std::array<float, kRow>& sums = partial[0];
  for (std::size_t i = rows * kRow; i < vectors * kLanes; ++i) sums[i % kLanes] += values[i];
  for (std::size_t vector = 1; vector < kVectors; ++vector)
    for (std::size_t k = 0; k < kLanes; ++k) sums[k] += sums[vector * kLanes + k];
  float sum = 0.0f;
  for (std::size_t i = vectors * kLanes; i < values.size(); ++i) sum += values[i];
  for (std::size_t k = 0; k < kLanes; ++k) sum += sums[k];
  return sum;
}

}  // namespace qdq
