#include "observers/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace qdq {
namespace {

// Each set of kernels that this processor runs, against the baseline.
class EveryKernelSet : public testing::TestWithParam<const ObserverKernels*> {
 protected:
  const ObserverKernels& kernels() const { return *GetParam(); }
  static const ObserverKernels& baseline() { return *available_observer_kernels().back(); }
};

INSTANTIATE_TEST_SUITE_P(Available, EveryKernelSet,
                         testing::ValuesIn(available_observer_kernels().begin(), available_observer_kernels().end()),
                         [](const auto& set) { return std::string(set.param->name); });

std::vector<float> normal_values(std::size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float& v : values) v = normal(generator);
  return values;
}

TEST_P(EveryKernelSet, FindsTheExtremesAtEveryPosition) {
  for (std::size_t count = 1; count < 200; ++count) {
    for (std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
      std::vector<float> values(count, 1.0f);
      values[at] = -3.0f;
      Extremes found = kernels().min_max(values.data(), static_cast<std::int64_t>(count));
      EXPECT_EQ(found.min, -3.0f);
      EXPECT_EQ(found.max, count == 1 ? -3.0f : 1.0f);
      values[at] = std::numeric_limits<float>::infinity();
      EXPECT_EQ(kernels().min_max(values.data(), static_cast<std::int64_t>(count)).max, values[at]);
      values[at] = std::numeric_limits<float>::quiet_NaN();
      found = kernels().min_max(values.data(), static_cast<std::int64_t>(count));
      EXPECT_TRUE(std::isnan(found.min) && std::isnan(found.max)) << count << " " << at;
    }
  }
}

TEST_P(EveryKernelSet, ExtremesOfNothingAreInverted) {
  const Extremes found = kernels().min_max(nullptr, 0);
  EXPECT_EQ(found.min, std::numeric_limits<float>::infinity());
  EXPECT_EQ(found.max, -std::numeric_limits<float>::infinity());
}

// The counts of each bin, found with that many tables.
std::vector<std::uint32_t> counts_of(const ObserverKernels& kernels, const std::vector<float>& values, const Bins& bins,
                                     std::size_t tables) {
  const std::size_t stride = static_cast<std::size_t>(bins.bins) + 1;
  std::vector<std::uint32_t> table(tables * stride, 0);
  EXPECT_TRUE(kernels.count_into_bins(values.data(), static_cast<std::int64_t>(values.size()), bins, table));
  std::vector<std::uint32_t> counts(stride - 1, 0);
  for (std::size_t i = 0; i < table.size(); ++i) counts[std::min(i % stride, stride - 2)] += table[i];
  return counts;
}

void expect_same_counts(const ObserverKernels& kernels, const ObserverKernels& baseline,
                        const std::vector<float>& values, std::int64_t bins) {
  const auto [low, high] = std::ranges::minmax(values);
  if (low == high) return;  // not a range
  const Bins range{low, high, bins};
  const std::vector<std::uint32_t> expected = counts_of(baseline, values, range, 1);
  for (const std::size_t tables : {std::size_t{1}, kBinTables})
    EXPECT_EQ(counts_of(kernels, values, range, tables), expected)
        << values.size() << " values, " << bins << " bins, [" << low << ", " << high << "], " << tables << " tables";
}

TEST_P(EveryKernelSet, CountsAsTheBaseline) {
  unsigned seed = 0;
  for (const std::size_t count : {3u, 255u, 256u, 1000u, 50000u})
    for (const std::int64_t bins : {1, 7, 100, 2048, 5000})
      for (const float scale : {1e-30f, 1e-6f, 1.0f, 1e6f, 1e28f}) {
        std::vector<float> values = normal_values(count, ++seed, scale);
        expect_same_counts(kernels(), baseline(), values, bins);
        for (float& v : values) v = std::max(v, 0.0f);
        expect_same_counts(kernels(), baseline(), values, bins);
      }
}

TEST_P(EveryKernelSet, CountsValuesBesideTheEdgesOfBinsAsTheBaseline) {
  for (const std::int64_t bins : {100, 2048})
    for (const float high : {6.0f, 1.0f, 0.3f, 1e-20f, 7.3e9f}) {
      std::vector<float> values = {0.0f, high};
      for (std::int64_t bin = 0; bin < bins; ++bin) {
        float v = static_cast<float>(static_cast<double>(high) * static_cast<double>(bin) / static_cast<double>(bins));
        for (int k = 0; k < 3; ++k) v = std::nextafter(v, 0.0f);
        for (int k = 0; k < 7; ++k, v = std::nextafter(v, high)) values.push_back(v);
      }
      expect_same_counts(kernels(), baseline(), values, bins);
    }
}

TEST_P(EveryKernelSet, NoticesAValueOutsideTheBins) {
  for (const std::size_t count : {100u, 256u, 8192u, 30000u})
    for (const std::size_t at : {std::size_t{0}, count / 2, count - 1})
      for (const float outside : {-3.01f, 3.01f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
        std::vector<float> values(count, 1.0f);
        std::vector<std::uint32_t> tables(kBinTables * 101, 0);
        const auto inside = [&] {
          return kernels().count_into_bins(values.data(), static_cast<std::int64_t>(count), {-3.0f, 3.0f, 100}, tables);
        };
        EXPECT_TRUE(inside());
        values[at] = outside;
        EXPECT_FALSE(inside()) << outside << " at " << at << " of " << count;
      }
}

TEST_P(EveryKernelSet, LevelErrorsHaveTheBitsOfTheBaseline) {
  std::mt19937 generator(5);
  for (int trial = 0; trial < 300; ++trial) {
    const std::size_t bins = trial % 5 == 0 ? 100 : 2048;
    std::vector<float> density(bins);
    for (float& d : density) d = generator() % 3 == 0 ? 0.0f : static_cast<float>(generator() % 1000000) / 16.0f;
    const double levels = trial % 3 == 0 ? 65536.0 : 256.0;
    const double width = std::exp2(static_cast<double>(generator() % 2000) / 40.0 - 35.0);
    const std::size_t start = generator() % bins, end = start + generator() % (bins - start);
    const double level_width = width * static_cast<double>(end - start + 1) / levels;
    const LevelFit fit{density,
                       static_cast<float>(width),
                       static_cast<std::int64_t>(start),
                       static_cast<float>(level_width),
                       static_cast<float>(level_width / 2),
                       static_cast<float>(levels - 1)};
    std::vector<float> found(bins), expected(bins);
    kernels().level_errors(fit, found);
    baseline().level_errors(fit, expected);
    for (std::size_t i = 0; i < bins; ++i)
      ASSERT_EQ(found[i], expected[i]) << "bin " << i << ", width " << width << ", " << start << ".." << end;
  }
}

TEST_P(EveryKernelSet, CountsOnAGridAsTheBaseline) {
  unsigned seed = 100;
  for (const std::size_t count : {3u, 511u, 512u, 1000u, 50001u})
    for (const float scale : {0x1p-130f, 0x1p-20f, 1.0f, 0x1p100f}) {
      std::vector<float> values = normal_values(count, ++seed, scale);
      for (std::size_t i = 0; i < count; i += 1 + seed % 5) values[i] = i % 2 == 0 ? 0.0f : -0.0f;
      const Extremes bounds = baseline().min_max(values.data(), static_cast<std::int64_t>(count));
      // ilogb has no answer for zeros alone.
      const int exponent = std::max(std::ilogb(std::max(-bounds.min, bounds.max)), -126);
      const float inverse = std::exp2(static_cast<float>(std::min(7 - exponent, 126)));
      std::vector<std::uint32_t> found(512, 1), expected = found;
      const auto zeros = kernels().count_on_grid(values.data(), static_cast<std::int64_t>(count), inverse, found);
      EXPECT_EQ(zeros, baseline().count_on_grid(values.data(), static_cast<std::int64_t>(count), inverse, expected));
      EXPECT_EQ(zeros, std::ranges::count(values, 0.0f));
      EXPECT_EQ(found, expected) << count << " values of " << scale;
    }
}

TEST_P(EveryKernelSet, AddsErrorsAsTheBaseline) {
  std::mt19937 generator(8);
  for (int trial = 0; trial < 100; ++trial) {
    const std::size_t size = kErrorLanes * (1 + generator() % 100);
    const std::vector<float> values =
        normal_values(size, static_cast<unsigned>(trial), std::exp2(static_cast<float>(trial % 40) - 20.0f));
    std::vector<double> counts, edges;
    for (std::size_t i = 0; i < size; ++i) {
      counts.push_back(static_cast<double>(generator() % 1000));
      edges.push_back((static_cast<double>(i) - static_cast<double>(size / 2)) * 0.125);
    }
    const Levels levels{std::exp2(static_cast<float>(trial % 7)) * 0.01f, -static_cast<double>(generator() % 65536),
                        127};
    EXPECT_EQ(kernels().rounding_error(values, counts, levels), baseline().rounding_error(values, counts, levels));
    EXPECT_EQ(kernels().integrated_error(edges, counts, levels), baseline().integrated_error(edges, counts, levels));
  }
}

}  // namespace
}  // namespace qdq
