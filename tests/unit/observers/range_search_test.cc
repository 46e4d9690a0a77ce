#include "observers/range_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace qdq {
namespace {

Distribution of_values(std::vector<float> values, std::vector<double> counts, double zeros = 0) {
  return {.min = std::min(values.front(), zeros > 0 ? 0.0f : values.front()),
          .max = std::max(values.back(), zeros > 0 ? 0.0f : values.back()),
          .zeros = zeros,
          .values = values,
          .counts = counts};
}

// Bins of `width` from `first` * width on.
Distribution of_bins(std::int64_t first, double width, std::vector<double> counts, double zeros = 0) {
  Distribution result{.zeros = zeros, .first = first, .width = width};
  for (std::size_t i = 0; i <= counts.size(); ++i)
    result.edges.push_back((static_cast<double>(first) + static_cast<double>(i)) * width);
  result.min = static_cast<float>(result.edges.front());
  result.max = static_cast<float>(result.edges.back());
  result.counts = counts;
  return result;
}

// Symmetric levels -127..127, and 0..255 with a zero point.
Levels int8_levels(Range range) { return {std::max(-range.min, range.max) / 127.0f, -127, 127}; }
Levels uint8_levels(Range range) {
  const float scale = std::max((range.max - range.min) / 255.0f, 1e-7f);
  const double zero_point = std::nearbyint(static_cast<double>(-range.min / scale));
  return {scale, -zero_point, 255 - zero_point};
}
// Three levels: -T, 0, T.
Levels ternary_levels(Range range) { return {std::max(-range.min, range.max), -1, 1}; }

TEST(SquaredError, OfValuesIsThatOfRounding) {
  // Levels 0, 1, 2, 3. 0.25 -> 0, 1.5 -> 2 (to even), 5 -> 3; the zeros cost nothing.
  EXPECT_EQ(squared_error(of_values({0.25f, 1.5f, 5}, {4, 2, 1}, 100), {1.0f, 0, 3}), 4 * 0.0625 + 2 * 0.25 + 4);
}

TEST(SquaredError, OfABinIsThatOfValuesEvenlyInIt) {
  // From 0 to 1 about the levels 0 and 1: 1/12 on the average.
  EXPECT_DOUBLE_EQ(squared_error(of_bins(0, 1, {6}), {1.0f, 0, 3}), 6.0 / 12);
  // From 3 to 5, beyond the last level: the integral of (x - 3)^2 / 2 is 8 / 6.
  EXPECT_DOUBLE_EQ(squared_error(of_bins(3, 1, {1, 1}), {1.0f, 0, 3}), 2 * 8.0 / 6);
  // Inside of one level's reach, from 0 to 1/4: x^2 averages to 1/48.
  EXPECT_DOUBLE_EQ(squared_error(of_bins(0, 0.25, {3}), {1.0f, -3, 3}), 3.0 / 48);
}

TEST(SquaredError, OfBinsIsTheLimitOfThatOfValues) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> counts(24);
    for (double& count : counts) count = static_cast<double>(random() % 100);
    const Distribution bins = of_bins(-10, 0.125, counts);
    constexpr int kParts = 2000;
    Distribution values{.min = bins.min, .max = bins.max};
    for (std::size_t i = 0; i < counts.size(); ++i)
      for (int part = 0; part < kParts; ++part) {
        values.values.push_back(static_cast<float>(bins.edges[i] + (part + 0.5) / kParts * 0.125));
        values.counts.push_back(counts[i] / kParts);
      }
    const Levels levels{0.05f + 0.01f * static_cast<float>(trial), -12, 9};
    const double expected = squared_error(values, levels);
    EXPECT_NEAR(squared_error(bins, levels), expected, 1e-4 * expected);
  }
}

TEST(LeastSquaresRange, KeepsWhatLiesOnLevels) {
  const Distribution values = of_values({1, 127}, {5, 1});
  const Range found = least_squares_range(values, true, int8_levels);
  EXPECT_EQ(found.max, 127.0f);
  EXPECT_EQ(found.min, 0.0f);
}

TEST(LeastSquaresRange, ClipsAnOutlierAmongMany) {
  // Three levels -T, 0, T; a values at 1, one at 4. T = 1 costs (4 - 1)^2 = 9, T = 4 costs a (1 is rounded to 0), and
  // between them a * (T - 1)^2 + (4 - T)^2 is least at T = (a + 4) / (a + 1), as long as 1 is rounded to T, up to 2.
  for (const double a : {20.0, 100.0}) {
    const Range found = least_squares_range(of_values({1, 4}, {a, 1}), true, ternary_levels);
    EXPECT_NEAR(found.max, (a + 4) / (a + 1), 4.0 / 4096);
  }
  // With few values at 1 the outlier wins.
  EXPECT_EQ(least_squares_range(of_values({1, 4}, {1, 1}), true, ternary_levels).max, 4.0f);
}

TEST(LeastSquaresRange, ClipsTheTwoEndsIndependently) {
  // Dense from -1 to 2 with one stray bin on each side, far out.
  std::vector<double> counts(64 * 12, 0.0);
  for (std::size_t i = 64 * 5; i < 64 * 8; ++i) counts[i] = 1000.0;
  counts.front() = counts.back() = 0.001;
  const Range found = least_squares_range(of_bins(-6 * 64, 1.0 / 64, counts), false, uint8_levels);
  EXPECT_NEAR(found.min, -1.0, 0.02);
  EXPECT_NEAR(found.max, 2.0, 0.02);
}

// The best of all bounds that the search may choose.
double brute_force(const Distribution& d, bool together, const LevelsOfRange& levels_of, int stride) {
  const float low = std::min(d.min, 0.0f), high = std::max(d.max, 0.0f), magnitude = std::max(-low, high);
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= 4096; i += stride)
    for (int k = together ? i : 0; k <= (together ? i : 4096); k += stride) {
      if (i + k == 0) continue;
      Range range{static_cast<float>(static_cast<double>(low) * i / 4096),
                  static_cast<float>(static_cast<double>(high) * k / 4096)};
      if (together) {
        const auto threshold = static_cast<float>(static_cast<double>(magnitude) * i / 4096);
        range = {std::max(low, -threshold), std::min(high, threshold)};
      }
      least = std::min(least, squared_error(d, levels_of(range)));
    }
  return least;
}

// Tiny histograms of a bell with stray bins: few levels, so that the choice matters.
Distribution random_bell(std::mt19937& random) {
  std::vector<double> counts;
  const double spread = 2.0 + static_cast<double>(random() % 10);
  for (int i = -32; i < 32; ++i) counts.push_back(std::floor(1000.0 * std::exp(-i * i / (spread * spread))));
  counts[random() % 8] += 1.0;
  counts[63 - random() % 8] += 1.0;
  return of_bins(-32, 0.25, counts);
}

TEST(LeastSquaresRange, FindsTheOptimumOfASymmetricBell) {
  std::mt19937 random(4);
  for (int trial = 0; trial < 20; ++trial) {
    const Distribution bell = random_bell(random);
    for (const double last : {7.0, 127.0}) {
      const auto levels_of = [last](Range r) {
        return Levels{std::max(-r.min, r.max) / static_cast<float>(last), -last, last};
      };
      const double found = squared_error(bell, levels_of(least_squares_range(bell, true, levels_of)));
      EXPECT_LE(found, brute_force(bell, true, levels_of, 1) * 1.0001);
    }
  }
}

TEST(LeastSquaresRange, IsNoWorseThanEveryPairOfAGrid) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 5; ++trial) {
    const Distribution bell = random_bell(random);
    const auto levels_of = [](Range r) {
      const float scale = std::max((r.max - r.min) / 15.0f, 1e-7f);
      const double zero_point = std::nearbyint(static_cast<double>(-r.min / scale));
      return Levels{scale, -zero_point, 15 - zero_point};
    };
    const double found = squared_error(bell, levels_of(least_squares_range(bell, false, levels_of)));
    EXPECT_LE(found, brute_force(bell, false, levels_of, 128));
    EXPECT_LE(found, brute_force(bell, false, levels_of, 32) * 1.05);
  }
}

TEST(PercentileRange, CutsEqualSharesFromBothEnds) {
  std::vector<float> values;
  for (int i = -50; i <= 50; ++i)
    if (i != 0) values.push_back(static_cast<float>(i));
  const Distribution hundred = of_values(values, std::vector<double>(100, 1.0));
  // 90 of 100 values: 5 go at either end.
  EXPECT_EQ(percentile_range(hundred, false, 90).min, -45.0f);
  EXPECT_EQ(percentile_range(hundred, false, 90).max, 45.0f);
  EXPECT_EQ(percentile_range(hundred, true, 90).max, 45.0f);
  EXPECT_EQ(percentile_range(hundred, true, 90).min, -45.0f);
  EXPECT_EQ(percentile_range(hundred, false, 100).min, -50.0f);
  EXPECT_EQ(percentile_range(hundred, true, 100).max, 50.0f);
}

TEST(PercentileRange, CountsZerosAndRepetitions) {
  // 90 zeros, 9 ones, one 100.
  const Distribution values = of_values({1, 100}, {9, 1}, 90);
  EXPECT_EQ(percentile_range(values, true, 90).max, 0.0f);
  EXPECT_EQ(percentile_range(values, true, 91).max, 1.0f);
  EXPECT_EQ(percentile_range(values, true, 99).max, 1.0f);
  EXPECT_EQ(percentile_range(values, true, 99.5).max, 100.0f);
  EXPECT_EQ(percentile_range(values, false, 98).max, 1.0f) << "1 in 100 at either end";
  EXPECT_EQ(percentile_range(values, false, 98).min, 0.0f);
}

TEST(PercentileRange, InterpolatesInsideOfABin) {
  const Distribution bins = of_bins(-2, 1, {25, 25, 25, 25});
  EXPECT_EQ(percentile_range(bins, true, 75).max, 1.5f);
  EXPECT_NEAR(percentile_range(bins, false, 80).max, 1.6f, 1e-6);
  EXPECT_NEAR(percentile_range(bins, false, 80).min, -1.6f, 1e-6);
}

TEST(PercentileRange, OneSidedValuesKeepZero) {
  const Distribution bins = of_bins(4, 1, {50, 49, 1});
  EXPECT_EQ(percentile_range(bins, false, 98).min, 0.0f);
  EXPECT_EQ(percentile_range(bins, false, 98).max, 6.0f);
}

// The divergence as Migacz's slides write it down, with counts in float64.
double slow_divergence(std::vector<double> counts, std::size_t first, std::size_t last, std::size_t levels) {
  std::vector<double> p(counts.begin() + static_cast<std::ptrdiff_t>(first),
                        counts.begin() + static_cast<std::ptrdiff_t>(last));
  const std::vector<double> inside = p;
  for (std::size_t i = 0; i < first; ++i) p.front() += counts[i];
  for (std::size_t i = last; i < counts.size(); ++i) p.back() += counts[i];
  std::vector<double> q(p.size(), 0.0);
  for (std::size_t level = 0; level < levels; ++level) {
    double sum = 0, used = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
      if (i * levels / p.size() == level) {
        sum += inside[i];
        used += inside[i] > 0;
      }
    for (std::size_t i = 0; i < p.size(); ++i)
      if (i * levels / p.size() == level && inside[i] > 0) q[i] = sum / used;
  }
  double p_sum = 0, q_sum = 0, divergence = 0;
  for (std::size_t i = 0; i < p.size(); ++i) p_sum += p[i], q_sum += q[i];
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] > 0) divergence += p[i] / p_sum * std::log((p[i] / p_sum) / (q[i] / q_sum));
  return divergence;
}

TEST(LeastEntropyRange, FindsTheLeastDivergenceOfMagnitudes) {
  std::mt19937 random(6);
  for (int trial = 0; trial < 10; ++trial) {
    std::vector<double> counts;
    for (int i = 0; i < 200; ++i)
      counts.push_back(std::floor(500.0 * std::exp(-i * 0.03) * (0.5 + static_cast<double>(random() % 100) / 100.0)));
    counts.back() = 3;
    double least = std::numeric_limits<double>::infinity();
    std::size_t best = 0;
    for (std::size_t threshold = 200; threshold >= 16; --threshold) {
      const double divergence = slow_divergence(counts, 0, threshold, 16);
      if (divergence < least * (1 - 1e-12)) {
        least = divergence;
        best = threshold;
      }
    }
    // Half of the counts are negative: the magnitudes are the same.
    std::vector<double> both(400);
    for (std::size_t i = 0; i < 200; ++i) {
      both[200 + i] = std::floor(counts[i] / 2);
      both[199 - i] = counts[i] - both[200 + i];
    }
    const Range found = least_entropy_range(of_bins(-200, 0.5, both), true, 32);
    EXPECT_EQ(found.max, static_cast<float>(best) / 2.0f);
    EXPECT_EQ(found.min, -found.max);
  }
}

TEST(LeastEntropyRange, CutsATwoSidedRangeByMagnitude) {
  std::vector<double> counts;
  for (int i = -30; i < 120; ++i) counts.push_back(std::floor(1000.0 * std::exp(-std::abs(i) * 0.08)) + 1);
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = 0;
  for (std::size_t threshold = 120; threshold + std::min<std::size_t>(threshold, 30) >= 16; --threshold) {
    const double divergence = slow_divergence(counts, 30 - std::min<std::size_t>(threshold, 30), 30 + threshold, 16);
    if (divergence < least * (1 - 1e-12)) {
      least = divergence;
      best = threshold;
    }
  }
  const Range found = least_entropy_range(of_bins(-30, 0.25, counts), false, 16);
  EXPECT_EQ(found.max, static_cast<float>(best) / 4.0f);
  EXPECT_EQ(found.min, std::max(-7.5f, -found.max));
  EXPECT_LT(found.max, 30.0f);
}

TEST(LeastEntropyRange, KeepsEverythingWithoutABinForEachLevel) {
  EXPECT_EQ(least_entropy_range(of_bins(0, 1, {5, 0, 1}), false, 256).max, 3.0f);
  EXPECT_EQ(least_entropy_range({.min = 0, .max = 0, .zeros = 7}, false, 256).max, 0.0f);
}

}  // namespace
}  // namespace qdq
