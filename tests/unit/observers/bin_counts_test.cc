#include "observers/bin_counts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace qdq {
namespace {

TEST(BinCounts, AddsThePiecesUp) {
  BinCounts counts({0.0f, 4.0f, 4}, 1000);
  const std::vector<float> first(700, 1.5f), second = {0, 0.5f, 3.5f, 4};
  EXPECT_TRUE(counts.add(first.data(), 700));
  EXPECT_TRUE(counts.add(second.data(), 4));
  EXPECT_EQ(counts.take(), (std::vector<double>{2, 700, 0, 2}));
}

TEST(BinCounts, OneValueOutsideIsNoticedWhereverItIs) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::size_t count : {5u, 256u, 20000u})
    for (const std::size_t at : {std::size_t{0}, count / 2, count - 1})
      for (const float outside : {-0.001f, 4.001f, infinity, -infinity, std::nanf("")}) {
        std::vector<float> values(count, 1.5f);
        values[at] = outside;
        BinCounts counts({0.0f, 4.0f, 4}, static_cast<std::int64_t>(count));
        EXPECT_FALSE(counts.add(values.data(), static_cast<std::int64_t>(count))) << outside << " at " << at;
      }
}

TEST(BinCounts, ACountThatWasGivenUpLeavesNothingToTheNext) {
  const std::vector<float> inside(600, 1.5f), outside(600, 7.0f);
  {
    BinCounts given_up({0.0f, 4.0f, 64}, 1200);
    EXPECT_TRUE(given_up.add(inside.data(), 600));
    EXPECT_FALSE(given_up.add(outside.data(), 600));
  }
  {
    BinCounts not_taken({0.0f, 4.0f, 16}, 600);
    EXPECT_TRUE(not_taken.add(inside.data(), 600));
  }
  for (const std::int64_t bins : {4, 64}) {
    BinCounts counts({0.0f, 4.0f, bins}, 600, std::vector<double>(7, 5.0));
    EXPECT_TRUE(counts.add(inside.data(), 600));
    std::vector<double> expected(static_cast<std::size_t>(bins), 0.0);
    expected[static_cast<std::size_t>(bins * 3 / 8)] = 600;
    EXPECT_EQ(counts.take(), expected) << bins << " bins";
  }
}

TEST(BinOf, TheEndsBelongToTheFirstAndTheLastBin) {
  const Bins bins{-1.0f, 3.0f, 8};
  EXPECT_EQ(bin_of(-1.0f, bins), 0u);
  EXPECT_EQ(bin_of(-0.5f, bins), 1u);
  EXPECT_EQ(bin_of(2.99f, bins), 7u);
  EXPECT_EQ(bin_of(3.0f, bins), 7u);
}

}  // namespace
}  // namespace qdq
