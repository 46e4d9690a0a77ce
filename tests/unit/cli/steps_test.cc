#include "cli/steps.h"

#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>
#include <vector>

#include "cli/signals.h"

namespace qdq::cli {
namespace {

TEST(Steps, RecordsTheStepsInOrderAndHandsResultsOn) {
  Steps steps;
  EXPECT_EQ(steps.measure("load", [] { return 42; }), 42);
  steps.measure("save", [] {});
  ASSERT_EQ(steps.costs().size(), 2U);
  EXPECT_EQ(steps.costs()[0].name, "load");
  EXPECT_EQ(steps.costs()[1].name, "save");
  EXPECT_GE(steps.costs()[0].seconds, 0.0);
  EXPECT_GT(steps.costs()[0].peak_bytes, 0);
}

TEST(Steps, DoesNotRecordAStepThatFails) {
  Steps steps;
  EXPECT_THROW(steps.measure("load", [] { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_TRUE(steps.costs().empty());
}

TEST(Steps, SeesTheMemoryOfAStep) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  Steps steps;
  const std::int64_t before = peak_memory();
  steps.measure("big", [] {
    std::vector<char> block(kBytes, 1);
    return block.back();
  });
  EXPECT_GE(steps.costs()[0].peak_bytes, before);
  EXPECT_GE(steps.costs()[0].peak_bytes, static_cast<std::int64_t>(kBytes));
}

volatile std::sig_atomic_t arrived = 0;

TEST(HoldSignals, DeliversASignalWhenTheWorkIsDone) {
  arrived = 0;
  std::signal(SIGTERM, [](int) { arrived = 1; });
  {
    const HoldSignals hold;
    std::raise(SIGTERM);
    EXPECT_EQ(arrived, 0);
  }
  EXPECT_EQ(arrived, 1);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace
}  // namespace qdq::cli
