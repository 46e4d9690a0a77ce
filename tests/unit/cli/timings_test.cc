#include "cli/timings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "qdq/graph_text.h"

namespace qdq::cli {
namespace {

Timings timings(std::initializer_list<double> seconds) {
  Timings result;
  for (const double each : seconds) result.add(each);
  return result;
}

TEST(Timings, OrdersRunsByTheirTime) {
  const Timings ten = timings({9, 1, 8, 2, 10, 3, 7, 4, 6, 5});
  EXPECT_EQ(ten.median(), 5.5);
  EXPECT_EQ(ten.min(), 1);
  EXPECT_EQ(ten.p90(), 9);
  EXPECT_EQ(timings({3, 1, 2}).median(), 2);
  EXPECT_EQ(timings({3, 1, 2}).p90(), 3);
  EXPECT_EQ(timings({4}).p90(), 4);
  EXPECT_THROW(Timings().median(), InternalError);
}

TEST(Timings, StepsOfSeveralRunsHaveTheirMedians) {
  const std::vector<StepTime> steps = median_steps({
      {{"a", "copy", 0, 1}, {"b", "sum", 1, 5}},
      {{"a", "copy", 2, 3}, {"b", "sum", 4, 7}},
      {{"a", "copy", 1, 2}},  // took another branch
      {{"a", "copy", 1, 2}, {"b", "sum", 3, 6}},
  });
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].node, "a");
  EXPECT_EQ(steps[0].start, 1);
  EXPECT_EQ(steps[0].seconds, 2);
  EXPECT_EQ(steps[1].kind, "sum");
  EXPECT_EQ(steps[1].seconds, 6);
  EXPECT_TRUE(median_steps({}).empty());
}

TEST(Timings, StepsOfOneOpAndKernelAddUp) {
  const Program program = parse_program(R"(graph(x: f32[4]) {
  %a: f32[4] = aten.relu.default(%x)
  %b: f32[4] = aten.neg.default(%a)
  %c: f32[4] = aten.relu.default(%b)
  return (%c)
})");
  const std::vector<OpTime> ops =
      times_by_op({{"a", "rows", 0, 1}, {"b", "rows", 1, 7}, {"c", "rows", 8, 3}, {"gone", "copy", 11, 2}}, program);
  ASSERT_EQ(ops.size(), 3U);
  EXPECT_EQ(ops[0].op, "aten.neg.default");
  EXPECT_EQ(ops[1].op, "aten.relu.default");
  EXPECT_EQ(ops[1].count, 2);
  EXPECT_EQ(ops[1].seconds, 4);
  EXPECT_EQ(ops[2].op, "-");
  EXPECT_EQ(ops[2].kind, "copy");
}

TEST(Timings, TracesAreChromesJson) {
  const auto trace =
      nlohmann::json::parse(chrome_trace({{"a.pt2", {{"conv", "convolution", 0.5, 0.25}}}, {"b.pt2", {}}}));
  const auto& events = trace.at("traceEvents");
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].at("args").at("name"), "a.pt2");
  EXPECT_EQ(events[1].at("name"), "conv");
  EXPECT_EQ(events[1].at("ph"), "X");
  EXPECT_EQ(events[1].at("ts"), 500000.0);
  EXPECT_EQ(events[1].at("dur"), 250000.0);
  EXPECT_EQ(events[2].at("pid"), 2);
}

}  // namespace
}  // namespace qdq::cli
