#include "observers/mergeable_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "qdq/error.h"

namespace qdq {
namespace {

void add(MergeableHistogram& histogram, std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  histogram.add(values.data(), count, observer_kernels().min_max(values.data(), count));
}

void expect_equal(const MergeableHistogram& found, const MergeableHistogram& expected) {
  EXPECT_EQ(found.state().min, expected.state().min);
  EXPECT_EQ(found.state().max, expected.state().max);
  EXPECT_EQ(found.state().zeros, expected.state().zeros);
  EXPECT_EQ(found.state().values.values, expected.state().values.values);
  EXPECT_EQ(found.state().values.counts, expected.state().values.counts);
  EXPECT_EQ(found.state().exponent, expected.state().exponent);
  EXPECT_EQ(found.state().counts, expected.state().counts);
}

// More different values than are kept, between 1/2 and 1.
std::vector<float> many() {
  std::vector<float> values;
  for (std::size_t i = 0; i < 2 * MergeableHistogram::kMaxValues; ++i)
    values.push_back(0.5f + static_cast<float>(i) / static_cast<float>(4 * MergeableHistogram::kMaxValues));
  return values;
}

TEST(MergeableHistogram, KeepsAFewValuesAsTheyAre) {
  MergeableHistogram histogram(16);
  EXPECT_TRUE(histogram.empty());
  add(histogram, {3, -1, 0, 3, -0.0f});
  add(histogram, {0.5f, 3});
  EXPECT_EQ(histogram.state().zeros, 2u);
  EXPECT_EQ(histogram.state().values.values, (std::vector<float>{-1, 0.5f, 3}));
  EXPECT_EQ(histogram.state().values.counts, (std::vector<std::uint64_t>{1, 1, 3}));
  EXPECT_TRUE(histogram.distribution().is_exact());
}

TEST(MergeableHistogram, CountsManyValuesInBinsOfAPowerOfTwo) {
  MergeableHistogram histogram(16);
  add(histogram, many());  // below 1: 16 bins of 1/32 from 1/2 to 1, as many values in each
  EXPECT_EQ(histogram.state().exponent, -5);
  ASSERT_EQ(histogram.state().counts.size(), 64u);
  for (std::size_t i = 0; i < 64; ++i)
    EXPECT_EQ(histogram.state().counts[i], i < 48 ? 0 : 2 * MergeableHistogram::kMaxValues / 16) << i;
  const Distribution found = histogram.distribution();
  EXPECT_EQ(found.first, 16);
  EXPECT_EQ(found.width, 1.0 / 32);
  EXPECT_EQ(found.counts, std::vector<double>(16, 1.0)) << "counts without their common divisor";
  EXPECT_EQ(found.edges[1], 17.0 / 32);
  EXPECT_LT(found.edges.back(), 1.0) << "the largest value";
}

TEST(MergeableHistogram, PairsBinsUpForALargerValue) {
  MergeableHistogram histogram(16);
  add(histogram, many());
  add(histogram, {-3.9f});  // bins of 1/8
  EXPECT_EQ(histogram.state().exponent, -3);
  for (std::size_t i = 0; i < 64; ++i)
    EXPECT_EQ(histogram.state().counts[i], i == 0              ? 1u
                                           : i < 36 || i >= 40 ? 0u
                                                               : MergeableHistogram::kMaxValues / 2)
        << i;
}

TEST(MergeableHistogram, BinsMeetAtZero) {
  MergeableHistogram histogram(16);
  add(histogram, many());
  add(histogram, {0.01f, -0.01f, -0.01f, 0, -0.04f});
  EXPECT_EQ(histogram.state().counts[32], 1u);
  EXPECT_EQ(histogram.state().counts[31], 2u);
  EXPECT_EQ(histogram.state().counts[30], 1u);
  EXPECT_EQ(histogram.state().zeros, 1u);
}

TEST(MergeableHistogram, HoldsTheLargestAndTheSmallestNumbers) {
  MergeableHistogram histogram(2048);
  std::vector<float> values = many();
  for (float& v : values) v *= 0x1p-126f;
  add(histogram, values);
  add(histogram, {std::numeric_limits<float>::denorm_min(), -std::numeric_limits<float>::denorm_min()});
  add(histogram, {std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()});
  EXPECT_EQ(histogram.state().counts[2 * 2048], values.size() + 1);
  EXPECT_EQ(histogram.state().counts[2 * 2048 - 1], 1u);
  EXPECT_EQ(histogram.state().counts.front(), 1u);
  EXPECT_EQ(histogram.state().counts.back(), 1u);
}

TEST(MergeableHistogram, RefusesOtherNumbersOfBins) {
  for (const std::int64_t bins : {0, 8, 17, 100, 1 << 17, -16})
    EXPECT_THROW(MergeableHistogram{bins}, InvalidArgumentError);
}

// Values as activations have them: of any magnitude, with zeros, sometimes few different ones.
std::vector<float> random_values(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(random() % 40000);
  const float scale = std::exp2(static_cast<float>(random() % 40) - 20.0f);
  const bool rectified = random() % 2 == 0, rounded = random() % 3 == 0;
  for (float& v : values) {
    v = normal(random);
    if (rectified) v = std::max(v, 0.0f);
    if (rounded) v = std::round(4.0f * v);
    v *= scale;
  }
  return values;
}

TEST(MergeableHistogram, IsTheSameForEveryOrderAndEverySplit) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 30; ++trial) {
    std::vector<float> values;
    for (std::size_t part = 0; part < 1 + random() % 3; ++part) {
      const std::vector<float> more = random_values(random);
      values.insert(values.end(), more.begin(), more.end());
    }
    MergeableHistogram whole(64);
    add(whole, values);
    std::shuffle(values.begin(), values.end(), random);
    std::vector<MergeableHistogram> shards(1 + random() % 5, MergeableHistogram(64));
    for (std::size_t done = 0; done < values.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 20000, values.size() - done);
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(done);
      add(shards[random() % shards.size()], {first, first + static_cast<std::ptrdiff_t>(count)});
      done += count;
    }
    std::shuffle(shards.begin(), shards.end(), random);
    while (shards.size() > 1) {  // in a random tree
      const std::size_t into = random() % (shards.size() - 1);
      shards[into].merge(shards.back());
      shards.pop_back();
    }
    expect_equal(shards[0], whole);
  }
}

TEST(MergeableHistogram, SeeingEverythingAgainChangesNoDistribution) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 10; ++trial) {
    MergeableHistogram once(64);
    add(once, random_values(random));
    MergeableHistogram thrice = once;
    thrice.merge(once);
    thrice.merge(once);
    for (const auto& [a, b] : {std::pair(once.distribution(), thrice.distribution()),
                               std::pair(once.binned_distribution(), thrice.binned_distribution())}) {
      EXPECT_EQ(a.values, b.values);
      EXPECT_EQ(a.edges, b.edges);
      EXPECT_EQ(a.counts, b.counts);
      EXPECT_EQ(a.zeros, b.zeros);
    }
  }
}

TEST(MergeableHistogram, RefusesAStateThatNoValuesLeadTo) {
  MergeableHistogram kept(16), binned(16);
  add(kept, {1, 2, 2});
  add(binned, many());
  const auto refused = [](const MergeableHistogram& from, auto change) {
    MergeableHistogram::State state = from.state();
    change(state);
    EXPECT_THROW(MergeableHistogram(16).set_state(state), InvalidArgumentError);
  };
  using State = MergeableHistogram::State;
  EXPECT_NO_THROW(MergeableHistogram(16).set_state(kept.state()));
  EXPECT_NO_THROW(MergeableHistogram(16).set_state(binned.state()));
  EXPECT_NO_THROW(MergeableHistogram(16).set_state(MergeableHistogram(16).state()));
  refused(kept, [](State& s) { std::swap(s.values.values[0], s.values.values[1]); });
  refused(kept, [](State& s) { s.values.values[0] = 0.0f; });
  refused(kept, [](State& s) { s.values.values[0] = NAN; });
  refused(kept, [](State& s) { s.values.counts[0] = 0; });
  refused(kept, [](State& s) { s.values.counts.pop_back(); });
  refused(kept, [](State& s) { s.max = INFINITY; });
  refused(kept, [](State& s) { s.min = 3; });
  refused(binned, [](State& s) { s.counts.pop_back(); });
  refused(binned, [](State& s) { ++s.exponent; });
  refused(binned, [](State& s) { s.values.values = {1}; });
}

}  // namespace
}  // namespace qdq
