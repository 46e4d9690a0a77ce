#include <gtest/gtest.h>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

Program two_linears(const std::string& between) {
  Program program = parse_program(R"(graph(x: f32[s0, 2]) {
  %w1: f32[2, 2] = get_attr @w1
  %b1: f32[2] = get_attr @b1
  %w2: f32[1, 2] = get_attr @w2
  %first: f32[s0, 2] = aten.linear.default(%x, %w1, %b1)
)" + between + R"(
  %second: f32[s0, 1] = aten.linear.default(%between, %w2)
  return (%second)
})");
  const auto add = [&](const char* name, Tensor value) {
    program.attributes.add({name, AttributeKind::parameter, std::move(value), true, false, ""});
  };
  add("w1", Tensor::from<float>({8, -4, 0.5F, 0.25F}, {2, 2}));
  add("b1", Tensor::from<float>({16, 1}, {2}));
  add("w2", Tensor::from<float>({2, -8}, {1, 2}));
  return program;
}

std::vector<float> values(const Program& program, const std::string& name) {
  const Tensor tensor = program.attributes.tensor(name);
  return {tensor.data<float>(), tensor.data<float>() + tensor.numel()};
}

Tensor run(const Program& program, const Tensor& x) {
  return make_executor(program, {.kind = ExecutorOptions::Kind::reference})->run({x}).front();
}

TEST(EqualizeLayers, GivesBothLayersTheSameRangePerChannel) {
  Program program = two_linears("  %between: f32[s0, 2] = aten.relu.default(%first)");
  const Tensor x = Tensor::from<float>({1, 2, -3, 0.5F}, {2, 2});
  const Tensor before = run(program, x);
  const AccuracyReport report = equalize_layers(program);
  EXPECT_EQ(report.changed, 1);
  // Ranges 8 and 0.5 against 2 and 8: s = sqrt(8 / 2) = 2 and sqrt(0.5 / 8) = 0.25.
  EXPECT_EQ(values(program, "w1"), (std::vector<float>{4, -2, 2, 1}));
  EXPECT_EQ(values(program, "b1"), (std::vector<float>{8, 4}));
  EXPECT_EQ(values(program, "w2"), (std::vector<float>{4, -2}));
  EXPECT_TRUE(bit_equal(run(program, x), before));  // powers of two lose nothing
}

TEST(EqualizeLayers, LeavesAReLU6Alone) {
  Program program = two_linears("  %between: f32[s0, 2] = aten.hardtanh.default(%first, 0.0, 6.0)");
  const AccuracyReport report = equalize_layers(program);
  EXPECT_EQ(report.changed, 0);
  ASSERT_EQ(report.skipped.size(), 2U);
  EXPECT_EQ(report.skipped[1].node, "first");
  EXPECT_EQ(report.skipped[1].reason, "'between' behind it clamps at one number");
  EXPECT_EQ(values(program, "w2"), (std::vector<float>{2, -8}));
}

TEST(EqualizeLayers, SplitsAReLU6IntoABoundPerChannelOnRequest) {
  Program program = two_linears("  %between: f32[s0, 2] = aten.hardtanh_.default(%first, 0.0, 6.0)");
  const Tensor x = Tensor::from<float>({1, 2, -3, 0.5F, 0, 1}, {3, 2});
  const Tensor before = run(program, x);
  EXPECT_EQ(equalize_layers(program, {.split_relu6 = true}).changed, 1);
  const Node& second = *program.graph().find("second");
  ASSERT_TRUE(second.input(0)->is("aten.minimum.default"));
  EXPECT_EQ(values(program, second.input(0)->input(1)->target()), (std::vector<float>{3, 24}));  // 6 / 2, 6 / 0.25
  EXPECT_TRUE(bit_equal(run(program, x), before));
}

TEST(EqualizeLayers, GoesThroughDepthwiseConvolutions) {
  Program program = parse_program(R"(graph(x: f32[1, 1, 4, 4]) {
  %w1: f32[2, 1, 1, 1] = get_attr @w1
  %w2: f32[2, 1, 1, 1] = get_attr @w2
  %w3: f32[1, 2, 1, 1] = get_attr @w3
  %one: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %w1)
  %relu: f32[1, 2, 4, 4] = aten.relu_.default(%one)
  %two: f32[1, 2, 4, 4] = aten.conv2d.default(%relu, %w2, none, [1, 1], [0, 0], [1, 1], 2)
  %relu_1: f32[1, 2, 4, 4] = aten.relu_.default(%two)
  %three: f32[1, 1, 4, 4] = aten.conv2d.default(%relu_1, %w3)
  return (%three)
})");
  const auto add = [&](const char* name, Tensor value) {
    program.attributes.add({name, AttributeKind::parameter, std::move(value), true, false, ""});
  };
  add("w1", Tensor::from<float>({1, 1}, {2, 1, 1, 1}));
  add("w2", Tensor::from<float>({8, 1}, {2, 1, 1, 1}));
  add("w3", Tensor::from<float>({1, 8}, {1, 2, 1, 1}));
  EXPECT_EQ(equalize_layers(program).changed, 2);
  // Both products are 8 in three layers: the ranges meet at their cube root, 2.
  for (const char* name : {"w1", "w2", "w3"})
    for (const float value : values(program, name)) EXPECT_NEAR(value, 2, 0.01);
}

TEST(EqualizeLayers, SaysWhyALayerIsLeftAlone) {
  Program program = two_linears("  %between: f32[s0, 2] = aten.sigmoid.default(%first)");
  const AccuracyReport report = equalize_layers(program);
  ASSERT_EQ(report.skipped.size(), 2U);
  EXPECT_EQ(report.skipped[0].reason, "'between' (aten.sigmoid.default) behind it lets no factor through");
  EXPECT_EQ(report.skipped[1].node, "second");
}

TEST(AbsorbHighBiases, MovesWhatIsAlwaysThereIntoTheNextBias) {
  Program program = two_linears("  %between: f32[s0, 2] = aten.relu.default(%first)");
  // Channel 0 of the first layer is 16 + 8 x0 - 4 x1: 14 and 18, mean 16, deviation 2. Three of them below: 10.
  // Channel 1 is 1 + 0.5 x0 + 0.25 x1: 0.875 and 1.125, mean 1, deviation 0.125. Three of them below: 0.625.
  const CalibrationBatches batches = {{Tensor::from<float>({-0.25F, 0, 0.25F, 0}, {2, 2})}};
  const Tensor before = run(program, batches[0][0]);
  EXPECT_EQ(absorb_high_biases(program, batches, {.kind = ExecutorOptions::Kind::reference}).changed, 1);
  EXPECT_EQ(values(program, "b1"), (std::vector<float>{6, 0.375F}));
  EXPECT_EQ(values(program, program.graph().find("second")->input(2)->target()),
            (std::vector<float>{2 * 10 - 8 * 0.625F}));
  EXPECT_TRUE(bit_equal(run(program, batches[0][0]), before));
}

}  // namespace
}  // namespace qdq
