#include "runtime/memory_planner.h"

#include <gtest/gtest.h>

namespace qdq::runtime {
namespace {

TEST(MemoryPlanner, ReusesTheMemoryOfABlockThatIsNoLongerNeeded) {
  const Lifetime chain[] = {{256, 0, 1}, {256, 1, 2}, {256, 2, 3}, {256, 3, 4}};
  const MemoryPlan plan = plan_memory(chain);
  EXPECT_EQ(plan.bytes, 512u);
  EXPECT_EQ(plan.offsets, (std::vector<std::size_t>{0, 256, 0, 256}));
}

TEST(MemoryPlanner, AlignsEveryBlockTo64Bytes) {
  const Lifetime blocks[] = {{1, 0, 1}, {65, 0, 1}, {0, 0, 1}};
  const MemoryPlan plan = plan_memory(blocks);
  EXPECT_EQ(plan.bytes, 256u);
  EXPECT_EQ(plan.offsets[1], 0u);  // the largest of a step comes first
}

TEST(MemoryPlanner, TakesTheSmallestGapThatFits) {
  // Gaps of 640 (at 0) and 128 (at 832) are free at step 2; a block of 128 belongs into the second.
  const Lifetime blocks[] = {{640, 0, 1}, {192, 0, 9}, {128, 0, 1}, {64, 0, 9}, {128, 2, 3}};
  const MemoryPlan plan = plan_memory(blocks);
  EXPECT_EQ(plan.offsets[4], plan.offsets[2]);
}

TEST(MemoryPlanner, NeverOverlapsBlocksThatLiveAtTheSameTime) {
  std::vector<Lifetime> blocks;
  unsigned state = 7;
  const auto next = [&](unsigned below) { return (state = state * 1664525u + 1013904223u) / 65536u % below; };
  for (int i = 0; i < 300; ++i) {
    const std::size_t first = next(100);
    blocks.push_back({1 + next(5000), first, first + next(20)});
  }
  const MemoryPlan plan = plan_memory(blocks);
  for (std::size_t a = 0; a < blocks.size(); ++a) {
    EXPECT_LE(plan.offsets[a] + blocks[a].bytes, plan.bytes);
    for (std::size_t b = a + 1; b < blocks.size(); ++b) {
      const bool together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
      const bool apart =
          plan.offsets[a] + blocks[a].bytes <= plan.offsets[b] || plan.offsets[b] + blocks[b].bytes <= plan.offsets[a];
      EXPECT_TRUE(!together || apart) << a << " " << b;
    }
  }
}

}  // namespace
}  // namespace qdq::runtime
