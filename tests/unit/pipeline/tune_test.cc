#include "qdq/tune.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

// Two regions: linear and relu, and the product that reads its result twice.
Program network() {
  return parse_program(R"(
attribute @w: parameter i8[3, 4] = [1, -2, 3, 4, -5, 6, 7, -8, 9, 1, -2, 3]
graph(x: f32[2, 4]) {
  %w: i8[3, 4] = get_attr @w
  %weight: f32[3, 4] = quantized_decomposed.dequantize_per_tensor.default(%w, 0.01, 0, -127, 127, i8)
  %q: u8[2, 4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.02, 128, 0, 255, u8)
  %dq: f32[2, 4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.02, 128, 0, 255, u8)
  %linear: f32[2, 3] = aten.linear.default(%dq, %weight)
  %relu: f32[2, 3] = aten.relu.default(%linear)
  %q1: u8[2, 3] = quantized_decomposed.quantize_per_tensor.default(%relu, 0.01, 0, 0, 255, u8)
  %dq1: f32[2, 3] = quantized_decomposed.dequantize_per_tensor.default(%q1, 0.01, 0, 0, 255, u8)
  %dq2: f32[2, 3] = quantized_decomposed.dequantize_per_tensor.default(%q1, 0.01, 0, 0, 255, u8)
  %add: f32[2, 3] = aten.add.Tensor(%dq1, %dq2)
  %q2: u8[2, 3] = quantized_decomposed.quantize_per_tensor.default(%add, 0.02, 0, 0, 255, u8)
  %dq3: f32[2, 3] = quantized_decomposed.dequantize_per_tensor.default(%q2, 0.02, 0, 0, 255, u8)
  return (%dq3)
})");
}

const std::vector<Tensor> kInputs = {Tensor::from<float>({1, 2, -1, 0.5f, -2, 1, 0, 1}, {2, 4})};

std::vector<std::string> kinds(const Program& program) {
  const auto executor = make_executor(program, {.threads = 1});
  executor->set_profiling(true);
  executor->run(kInputs);
  std::vector<std::string> kinds;
  for (const StepTime& step : executor->step_times()) kinds.push_back(step.kind.substr(0, step.kind.find(':')));
  return kinds;
}

TEST(Tune, TimesEveryRegionAndMarksThoseThatLose) {
  Program program = network();
  program.graph().find("relu")->meta.set(kRunInFloat, "of an earlier time");
  const std::vector<TunedRegion> regions = tune(program, kInputs, {.threads = 1}, 3);
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].ops, std::vector<std::string>{"linear"});
  EXPECT_EQ(regions[1].ops, std::vector<std::string>{"add"});
  EXPECT_EQ(program.graph().find("relu")->meta.find(kRunInFloat), nullptr);
  for (const TunedRegion& region : regions) {
    EXPECT_GT(region.int8_seconds, 0);
    EXPECT_GT(region.float_seconds, 0);
    EXPECT_EQ(region.in_int8, region.int8_seconds <= region.float_seconds);
    EXPECT_EQ(program.graph().find(region.ops[0])->meta.find(kRunInFloat) == nullptr, region.in_int8);
  }
}

TEST(Tune, AMarkedOpRunsInFloatAndItsNeighboursDoNot) {
  Program program = network();
  const Tensor in_int8 = make_executor(program, {.threads = 1})->run(kInputs)[0];
  EXPECT_EQ(kinds(program), (std::vector<std::string>{"quantize", "int8", "int8", "dequantize"}));
  program.graph().find("linear")->meta.set(kRunInFloat, "it is faster in float");
  EXPECT_EQ(kinds(program),
            (std::vector<std::string>{"quantize", "dequantize", "linear", "quantize", "int8", "dequantize"}));
  const auto executor = make_executor(program, {.threads = 1});
  EXPECT_TRUE(bit_equal(executor->run(kInputs)[0], in_int8));  // nothing in it falls on a tie
  ASSERT_EQ(executor->notes().size(), 1U);
  EXPECT_EQ(executor->notes()[0].node, "linear");
  EXPECT_EQ(executor->notes()[0].reason, "it is faster in float");
}

}  // namespace
}  // namespace qdq
