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

TEST(BinOf, TheEndsBelongToTheFirstAndTheLastBin) {
  const Bins bins{-1.0f, 3.0f, 8};
  EXPECT_EQ(bin_of(-1.0f, bins), 0u);
  EXPECT_EQ(bin_of(-0.5f, bins), 1u);
  EXPECT_EQ(bin_of(2.99f, bins), 7u);
  EXPECT_EQ(bin_of(3.0f, bins), 7u);
}

}  // namespace
}  // namespace qdq
