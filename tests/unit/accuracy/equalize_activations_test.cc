#include <gtest/gtest.h>

#include <cmath>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"
#include "qdq/quantizers.h"
#include "qdq/xnnpack_quantizer.h"

namespace qdq {
namespace {

const ExecutorOptions kReference{.kind = ExecutorOptions::Kind::reference};

void add(Program& program, const char* name, Tensor value) {
  program.attributes.add({name, AttributeKind::parameter, std::move(value), true, false, ""});
}

Program two_linears(const std::string& between, const Tensor& first, const Tensor& second) {
  Program program = parse_program(
      "graph(x: f32[2, 2]) {\n"
      "  %w1: f32[2, 2] = get_attr @w1\n"
      "  %b1: f32[2] = get_attr @b1\n"
      "  %w2: f32[1, 2] = get_attr @w2\n"
      "  %first: f32[2, 2] = aten.linear.default(%x, %w1, %b1)\n" +
      between +
      "  %second: f32[2, 1] = aten.linear.default(%between, %w2)\n"
      "  return (%second)\n}");
  add(program, "w1", first);
  add(program, "b1", Tensor::from<float>({0, 0.5F}, {2}));
  add(program, "w2", second);
  return program;
}

std::vector<float> values_of(const Program& program, const std::string& name) {
  const Tensor& tensor = program.attributes.find(name)->value;
  return {tensor.data<float>(), tensor.data<float>() + tensor.numel()};
}

XnnpackQuantizer quantizer(bool per_channel) {
  XnnpackQuantizer xnnpack;
  xnnpack.set_global(symmetric_config({.per_channel = per_channel}));
  return xnnpack;
}

const std::string kRelu = "  %between: f32[2, 2] = aten.relu.default(%first)\n";
const std::string kRelu6 = "  %between: f32[2, 2] = aten.hardtanh.default(%first, 0.0, 6.0)\n";

// With a second channel of f = 8^strength: values err by 64 (1 + 1 / f^2) / 255^2 / 12, the weights by
// 4 (E[x_0^2] + f^2 E[x_1^2]) / 254^2 / 12 with E = 32 and 0.5. The sum is least for strength 0.5 among the four.
TEST(EqualizeActivations, BalancesTheErrorOfValuesAndOfWeights) {
  Program program =
      two_linears(kRelu, Tensor::from<float>({1, 0, 0, 0.5F}, {2, 2}), Tensor::from<float>({1, 1}, {1, 2}));
  XnnpackQuantizer xnnpack = quantizer(true);
  const CalibrationBatches batches = {{Tensor::from<float>({8, 1, 0, -1}, {2, 2})}};
  EqualizeActivationsOptions options;
  options.executor = kReference;
  EXPECT_EQ(equalize_activations(program, xnnpack, batches, options).changed, 1);
  const auto factor = static_cast<float>(std::sqrt(8.0));
  EXPECT_EQ(values_of(program, "w1"), (std::vector<float>{1, 0, 0, 0.5F * factor}));
  EXPECT_EQ(values_of(program, "b1"), (std::vector<float>{0, 0.5F * factor}));
  EXPECT_EQ(values_of(program, "w2"), (std::vector<float>{1, 1 / factor}));
}

TEST(EqualizeActivations, ScalesChannelsUpToWhereARelu6Cuts) {
  Program program =
      two_linears(kRelu6, Tensor::from<float>({2, 0, 0, 1}, {2, 2}), Tensor::from<float>({0.125F, 1}, {1, 2}));
  XnnpackQuantizer xnnpack = quantizer(true);
  // The first channel is cut at 6 and stays; the second reaches 1.5, and with the headroom 3.
  const CalibrationBatches batches = {{Tensor::from<float>({8, 1, 0, -1}, {2, 2})}};
  const Tensor before = make_executor(program, kReference)->run(batches[0]).front();
  const EqualizeActivationsOptions options{.strengths = {1.0}, .clamp_headroom = 2, .executor = kReference};
  EXPECT_EQ(equalize_activations(program, xnnpack, batches, options).changed, 1);
  EXPECT_EQ(values_of(program, "w1"), (std::vector<float>{2, 0, 0, 2}));
  EXPECT_EQ(values_of(program, "b1"), (std::vector<float>{0, 1}));
  EXPECT_EQ(values_of(program, "w2"), (std::vector<float>{0.125F, 0.5F}));
  EXPECT_TRUE(bit_equal(make_executor(program, kReference)->run(batches[0]).front(), before));
}

TEST(EqualizeActivations, ScalesAllThatIsAddedAlike) {
  const std::string residual =
      "  %relu: f32[2, 2] = aten.relu.default(%first)\n"
      "  %w3: f32[2, 2] = get_attr @w3\n"
      "  %third: f32[2, 2] = aten.linear.default(%relu, %w3)\n"
      "  %between: f32[2, 2] = aten.add.Tensor(%relu, %third)\n";
  Program program =
      two_linears(residual, Tensor::from<float>({1, 0, 0, 0.5F}, {2, 2}), Tensor::from<float>({1, 1}, {1, 2}));
  add(program, "w3", Tensor::from<float>({0.5F, 0, 0, 0.5F}, {2, 2}));
  XnnpackQuantizer xnnpack = quantizer(true);
  const CalibrationBatches batches = {{Tensor::from<float>({16, 1, 0, -1}, {2, 2})}};
  EXPECT_EQ(equalize_activations(program, xnnpack, batches, {.strengths = {0.5}, .executor = kReference}).changed, 1);
  EXPECT_EQ(values_of(program, "w1"), (std::vector<float>{1, 0, 0, 2}));
  // Its rows are multiplied and its columns divided.
  EXPECT_EQ(values_of(program, "w3"), (std::vector<float>{0.5F, 0, 0, 0.5F}));
  EXPECT_EQ(values_of(program, "w2"), (std::vector<float>{1, 0.25F}));
}

TEST(EqualizeActivations, SaysWhyALayerIsLeftAlone) {
  const std::string gelu = "  %between: f32[2, 2] = aten.gelu.default(%first)\n";
  Program program = two_linears(gelu, Tensor::from<float>({1, 0, 0, 1}, {2, 2}), Tensor::from<float>({1, 1}, {1, 2}));
  const CalibrationBatches batches = {{Tensor::from<float>({8, 1, 0, -1}, {2, 2})}};
  XnnpackQuantizer xnnpack = quantizer(true);
  AccuracyReport report = equalize_activations(program, xnnpack, batches, {.executor = kReference});
  EXPECT_EQ(report.changed, 0);
  ASSERT_EQ(report.skipped.size(), 2U);
  EXPECT_EQ(report.skipped[0].node, "first");
  EXPECT_EQ(report.skipped[0].reason, "'between' (aten.gelu.default) lets no factor through");
  EXPECT_EQ(report.skipped[1].reason, "it is a result of the program");

  program = two_linears(kRelu, Tensor::from<float>({1, 0, 0, 1}, {2, 2}), Tensor::from<float>({1, 1}, {1, 2}));
  XnnpackQuantizer per_tensor = quantizer(false);
  report = equalize_activations(program, per_tensor, batches, {.executor = kReference});
  EXPECT_EQ(report.changed, 0);
  EXPECT_EQ(report.skipped.back().reason, "the weight of 'first' has one scale for all channels");
}

}  // namespace
}  // namespace qdq
