#include "observers/distinct_values.h"

#include <gtest/gtest.h>

namespace qdq {
namespace {

TEST(DistinctValues, AreCountedInOrderWithoutZeros) {
  const std::vector<float> values = {3, -1, 0, 3, -0.0f, 2};
  const auto found = distinct_values(values.data(), 6, 3);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->nonzero.values, (std::vector<float>{-1, 2, 3}));
  EXPECT_EQ(found->nonzero.counts, (std::vector<std::uint64_t>{1, 1, 2}));
  EXPECT_EQ(found->zeros, 2u);
  EXPECT_FALSE(distinct_values(values.data(), 6, 2));
}

TEST(DistinctValues, NeedNoCountsWhileEachOccursOnce) {
  const std::vector<float> values = {5, -7};
  EXPECT_TRUE(distinct_values(values.data(), 2, 2)->nonzero.counts.empty());
  const DistinctValues both = united({{-7, 5}, {}}, {{1}, {}});
  EXPECT_EQ(both.values, (std::vector<float>{-7, 1, 5}));
  EXPECT_TRUE(both.counts.empty());
}

TEST(DistinctValues, AddTheirCounts) {
  const DistinctValues both = united({{-1, 2}, {}}, {{2, 4}, {5, 1}});
  EXPECT_EQ(both.values, (std::vector<float>{-1, 2, 4}));
  EXPECT_EQ(both.counts, (std::vector<std::uint64_t>{1, 6, 1}));
}

}  // namespace
}  // namespace qdq
