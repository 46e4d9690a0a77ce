#include <gtest/gtest.h>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

using Kind = BiasCorrectionOptions::Kind;

const ExecutorOptions kReference = {.kind = ExecutorOptions::Kind::reference};

// Two linears of one number each, with observers. Weights have steps of 1, values steps of 0.5.
PreparedProgram two_layers(std::int64_t weight_max = 127) {
  Program program = parse_program(R"(graph(x: f32[s0, 1]) {
  %w1: f32[1, 1] = get_attr @w1
  %w2: f32[1, 1] = get_attr @w2
  %b2: f32[1] = get_attr @b2
  %seen_w1: f32[1, 1] = call_module @weight(%w1)
  %seen_w2: f32[1, 1] = call_module @weight(%w2)
  %seen_x: f32[s0, 1] = call_module @input(%x)
  %first: f32[s0, 1] = aten.linear.default(%seen_x, %seen_w1)
  %seen_first: f32[s0, 1] = call_module @middle(%first)
  %second: f32[s0, 1] = aten.linear.default(%seen_first, %seen_w2, %b2)
  return (%second)
})");
  const auto add = [&](const char* name, Tensor value) {
    program.attributes.add({name, AttributeKind::parameter, std::move(value), true, false, ""});
  };
  add("w1", Tensor::from<float>({2.25F}, {1, 1}));
  add("w2", Tensor::from<float>({3.25F}, {1, 1}));
  add("b2", Tensor::from<float>({10}, {1}));
  const auto fixed = [](double scale, std::int64_t max = 127) {
    return fixed_qparams_observer()(
        {.dtype = DType::int8, .quant_min = -max - 1, .quant_max = max, .scale = scale, .zero_point = 0});
  };
  return PreparedProgram(std::move(program),
                         {{"weight", fixed(1, weight_max)}, {"input", fixed(0.5)}, {"middle", fixed(0.5)}});
}

// The mean of x is 3; 3.25 becomes 3 on the grid (ties to even), so that what layers read has the mean 2.75.
const CalibrationBatches kBatches = {{Tensor::from<float>({2.5F}, {1, 1})},
                                     {Tensor::from<float>({3.25F, 3.25F}, {2, 1})}};

double bias(const PreparedProgram& prepared, const char* layer) {
  const Node* node = prepared.program().graph().find(layer)->input(2);
  return node ? prepared.program().tensor_of(*node).item() : 0;
}

TEST(CorrectBiases, FastAddsTheMeanErrorOfTheWeightOnFloatValues) {
  PreparedProgram prepared = two_layers();
  EXPECT_EQ(correct_biases(prepared, kBatches, {.kind = Kind::fast, .executor = kReference}).changed, 2);
  EXPECT_NEAR(bias(prepared, "first"), 0.25 * 3, 1e-6);               // (2.25 - 2) E[x]
  EXPECT_NEAR(bias(prepared, "second"), 10 + 0.25 * 2.25 * 3, 1e-6);  // (3.25 - 3) E[2.25 x]
}

TEST(CorrectBiases, FullMeasuresBehindTheQuantizedLayersBefore) {
  PreparedProgram prepared = two_layers();
  EXPECT_EQ(correct_biases(prepared, kBatches, {.kind = Kind::full, .executor = kReference}).changed, 2);
  // x becomes 2.5, 3, 3 (3.25 / 0.5 = 6.5 is rounded to 6). E[2.25 x] = 6.75, E[2 x_q] = 17 / 3.
  const double first = 6.75 - 17.0 / 3;
  EXPECT_NEAR(bias(prepared, "first"), first, 1e-6);
  // The first layer makes 6.083, 7.083, 7.083 now, on the grid 6, 7, 7: E[3.25 * 2.25 x] = 21.9375, E[3 * 20 / 3] = 20.
  EXPECT_NEAR(bias(prepared, "second"), 10 + 21.9375 - 20, 1e-5);
}

TEST(CorrectBiases, FullRefusesAProgramThatChangesItsBuffers) {
  PreparedProgram prepared = two_layers();
  prepared.program().outputs[0].kind = OutputSpec::Kind::buffer_mutation;
  EXPECT_THROW(correct_biases(prepared, kBatches, {.kind = Kind::full, .executor = kReference}), InvalidArgumentError);
}

TEST(CorrectBiases, FastWorksOnAProgramThatTakesOneBatchSizeOnly) {
  Program program = parse_program(R"(graph(x: f32[2, 3, 1]) {
  %w: f32[1, 1] = get_attr @w
  %seen_w: f32[1, 1] = call_module @weight(%w)
  %layer: f32[2, 3, 1] = aten.linear.default(%x, %seen_w)
  return (%layer)
})");
  program.attributes.add({"w", AttributeKind::parameter, Tensor::from<float>({2.25F}, {1, 1}), true, false, ""});
  PreparedProgram prepared(
      std::move(program),
      {{"weight", fixed_qparams_observer()(
                      {.dtype = DType::int8, .quant_min = -128, .quant_max = 127, .scale = 1, .zero_point = 0})}});
  const CalibrationBatches batches = {{Tensor::from<float>({1, 2, 3, 4, 5, 9}, {2, 3, 1})}};
  EXPECT_EQ(correct_biases(prepared, batches, {.kind = Kind::fast, .executor = kReference}).changed, 1);
  EXPECT_NEAR(bias(prepared, "layer"), 0.25 * 4, 1e-6);
}

TEST(CorrectBiases, KnowsTheChannelsOfTransposedConvolutions) {
  const auto with_two_channels = [] {
    Program program = parse_program(R"(graph(x: f32[1, 1, 2]) {
  %w: f32[1, 2, 1] = get_attr @w
  %seen_w: f32[1, 2, 1] = call_module @weight(%w)
  %layer: f32[1, 2, 2] = aten.conv_transpose1d.default(%x, %seen_w)
  return (%layer)
})");
    program.attributes.add(
        {"w", AttributeKind::parameter, Tensor::from<float>({2.25F, 3.75F}, {1, 2, 1}), true, false, ""});
    return PreparedProgram(
        std::move(program),
        {{"weight", fixed_qparams_observer()(
                        {.dtype = DType::int8, .quant_min = -128, .quant_max = 127, .scale = 1, .zero_point = 0})}});
  };
  const CalibrationBatches batches = {{Tensor::from<float>({2, 4}, {1, 1, 2})}};
  for (const Kind kind : {Kind::fast, Kind::full}) {
    PreparedProgram prepared = with_two_channels();
    EXPECT_EQ(correct_biases(prepared, batches, {.kind = kind, .executor = kReference}).changed, 1);
    const Node& layer = *prepared.program().graph().find("layer");
    const Tensor bias = prepared.program().tensor_of(*layer.input(2));
    ASSERT_EQ(bias.sizes(), (Shape{2}));
    EXPECT_NEAR(bias.data<float>()[0], 0.25 * 3, 1e-6);   // 2.25 becomes 2
    EXPECT_NEAR(bias.data<float>()[1], -0.25 * 3, 1e-6);  // 3.75 becomes 4
  }
}

TEST(Gptq, GivesTheShiftOfTheMeanToABiasWhereThereWasNone) {
  PreparedProgram prepared = two_layers();
  EXPECT_EQ(gptq(prepared, kBatches, {.executor = kReference}).changed, 0);  // one weight each: nearest is best
  // x becomes 2.5, 3, 3: (2.25 - 2) E[x_q].
  EXPECT_NEAR(bias(prepared, "first"), 0.25 * 8.5 / 3, 1e-5);
  // 2 x_q and that bias are 5.71, 6.71, 6.71, on the grid 5.5, 6.5, 6.5: (3.25 - 3) E of them.
  EXPECT_NEAR(bias(prepared, "second"), 10 + 0.25 * 18.5 / 3, 1e-5);
}

TEST(Gptq, GivesABiasOfCoarseLayersWhatTheResultsLackInTheMean) {
  PreparedProgram prepared = two_layers(/*weight_max=*/7);
  const CalibrationBatches batches = {{Tensor::from<float>({2.5F}, {1, 1})}, {Tensor::from<float>({3, 3}, {2, 1})}};
  EXPECT_EQ(gptq(prepared, batches, {.executor = kReference}).changed, 0);  // one weight each: nearest is best
  // x is on its grid: (2.25 - 2) E[x].
  EXPECT_NEAR(bias(prepared, "first"), 0.25 * 8.5 / 3, 1e-5);
  // 2 x and that bias are 5.71, 6.71, 6.71, on the grid 5.5, 6.5, 6.5. Of them 3.25 2.25 x is wanted, which is 3.66 larger
  // where they are 1 larger. Half of the way from 3.25 there is 3.45, which is 3 on the grid.
  EXPECT_NEAR(bias(prepared, "second"), 10 + 3.25 * 2.25 * 8.5 / 3 - 3 * 18.5 / 3, 1e-5);
}

TEST(CorrectBiases, LearnsFromTheFirstSamples) {
  const CalibrationBatches batches = {{Tensor::from<float>({2, 4}, {2, 1})}, {Tensor::from<float>({100, 100}, {2, 1})}};
  const auto first_bias = [&](int samples) {
    PreparedProgram prepared = two_layers();
    correct_biases(prepared, batches, {.samples = samples, .executor = kReference});
    return bias(prepared, "first");
  };
  EXPECT_NEAR(first_bias(1), 0.25 * 3, 1e-5);  // the whole first batch
  EXPECT_NEAR(first_bias(2), 0.25 * 3, 1e-5);
  EXPECT_NEAR(first_bias(3), 0.25 * 51.5, 1e-5);
}

TEST(CorrectBiases, NeedsData) {
  PreparedProgram prepared = two_layers();
  EXPECT_THROW(correct_biases(prepared, {}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
