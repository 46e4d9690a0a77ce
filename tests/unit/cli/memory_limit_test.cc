#include "cli/memory_limit.h"

#include <gtest/gtest.h>

#include "qdq/error.h"

namespace qdq::cli {
namespace {

constexpr std::int64_t kMega = 1'000'000;

TEST(MemoryLimit, CountsTheWorkersThatFitBesideTheFirst) {
  EXPECT_EQ(workers_that_fit(500 * kMega, 200 * kMega, 100 * kMega, 8), 4);
  EXPECT_EQ(workers_that_fit(500 * kMega, 200 * kMega, 100 * kMega, 3), 3);
  EXPECT_EQ(workers_that_fit(299 * kMega, 200 * kMega, 100 * kMega, 8), 1);
  EXPECT_EQ(workers_that_fit(100 * kMega, 200 * kMega, 100 * kMega, 8), 1);
  EXPECT_EQ(workers_that_fit(500 * kMega, 200 * kMega, 0, 8), 8);  // what one takes is too little to be seen
}

TEST(MemoryLimit, ProbesWithOneWorkerAndThenRunsThoseThatFit) {
  MemoryLimit limit(1'000'000 * kMega, 4);
  EXPECT_TRUE(limit.is_probing());
  EXPECT_EQ(limit.workers(), 1);
  limit.before_first_batch();
  limit.after_first_batch();
  EXPECT_FALSE(limit.is_probing());
  EXPECT_EQ(limit.workers(), 4);
  limit.check();
}

TEST(MemoryLimit, StopsWhenMoreIsInUse) {
  MemoryLimit limit(kMega, 4);  // any process has more
  EXPECT_THROW(limit.before_first_batch(), InvalidArgumentError);
  EXPECT_THROW(limit.check(), InvalidArgumentError);
}

TEST(MemoryLimit, PromisesNothingWithoutALimit) {
  MemoryLimit limit(std::nullopt, 4);
  EXPECT_FALSE(limit.is_probing());
  EXPECT_EQ(limit.workers(), 4);
  limit.check();
}

}  // namespace
}  // namespace qdq::cli
