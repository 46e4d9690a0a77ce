#include "accuracy/quantized_twin.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

const ExecutorOptions kReference = {.kind = ExecutorOptions::Kind::reference};

std::shared_ptr<Observer> steps_of(double scale) {
  return fixed_qparams_observer()(
      {.dtype = DType::int8, .quant_min = -8, .quant_max = 7, .scale = scale, .zero_point = 0});
}

// What is read has steps of 1, the weight of 0.5.
PreparedProgram prepared_program(const std::string& behind_the_layer) {
  Program program = parse_program(R"(graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %x_seen: f32[1, 2] = call_module @x_seen(%x)
  %w_seen: f32[2, 2] = call_module @w_seen(%w)
  %layer: f32[1, 2] = aten.linear.default(%x_seen, %w_seen)
)" + behind_the_layer + "\n}");
  program.attributes.add(
      {"w", AttributeKind::parameter, Tensor::from<float>({1, 0, 0, 2.2F}, {2, 2}), true, false, ""});
  return {std::move(program), {{"x_seen", steps_of(1)}, {"w_seen", steps_of(0.5)}, {"out_seen", steps_of(1)}}};
}

const CalibrationBatches kBatches = {{Tensor::from<float>({0.75F, 3.5F}, {1, 2})}};

std::vector<float> wanted_of(PreparedProgram prepared) {
  QuantizedTwin twin(prepared, kBatches, kReference);
  const auto layers = observed_layers(prepared.program(), prepared.observers());
  twin.quantized_inputs(layers.front());
  const Tensor wanted = twin.wanted_outputs(layers.front()).front();
  return {wanted.data<float>(), wanted.data<float>() + wanted.numel()};
}

TEST(QuantizedTwin, TakesScalesThatAreChosenAtRunTime) {
  Program program = parse_program(R"(graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %layer: f32[1, 2] = aten.linear.default(%x, %w)
  return (%layer)
})");
  program.attributes.add(
      {"w", AttributeKind::parameter, Tensor::from<float>({1, 0, 0, 2.2F}, {2, 2}), true, false, ""});
  XnnpackQuantizer quantizer;
  quantizer.set_global(symmetric_config({.is_dynamic = true}));
  PreparedProgram prepared = prepare(std::move(program), quantizer);
  prepared.calibrate(kBatches[0]);
  QuantizedTwin twin(prepared, kBatches, kReference);
  const auto layers = observed_layers(prepared.program(), prepared.observers());
  ASSERT_EQ(layers.size(), 1U);
  // The range [0, 3.5] has steps of 3.5 / 255, and 0.75 is 54.6 of them.
  EXPECT_FLOAT_EQ(twin.quantized_inputs(layers.front()).front().data<float>()[0], static_cast<float>(55 * 3.5 / 255));
}

TEST(QuantizedTwin, WantsTheFloatResults) {
  EXPECT_EQ(wanted_of(prepared_program("  return (%layer)")), (std::vector<float>{0.75F, 3.5F * 2.2F}));
}

// x is quantized to 1 and 4.
TEST(QuantizedTwin, WantsWhatTheOtherSummandLacksAsWell) {
  const std::vector<float> expected = {0.75F + (0.75F - 1), 3.5F * 2.2F + (3.5F - 4)};
  for (const char* sum : {"aten.add.Tensor(%layer, %x_seen)", "aten.add.Tensor(%x_seen, %layer)"})
    EXPECT_EQ(wanted_of(prepared_program(std::string("  %sum: f32[1, 2] = ") + sum + "\n  return (%sum)")), expected);
  EXPECT_EQ(wanted_of(prepared_program(R"(  %out_seen: f32[1, 2] = call_module @out_seen(%layer)
  %sum: f32[1, 2] = aten.add.Tensor(%out_seen, %x_seen)
  return (%sum))")),
            expected);
}

TEST(QuantizedTwin, WantsNoMoreWhereOthersReadTheResultsToo) {
  EXPECT_EQ(wanted_of(prepared_program(R"(  %sum: f32[1, 2] = aten.add.Tensor(%layer, %x_seen)
  %other: f32[1, 2] = aten.neg.default(%layer)
  return (%sum, %other))")),
            (std::vector<float>{0.75F, 3.5F * 2.2F}));
}

TEST(QuantizedTwin, WantsNoMoreWhereTheOtherSummandComesOfTheLayerItself) {
  EXPECT_EQ(wanted_of(prepared_program(R"(  %sum: f32[1, 2] = aten.add.Tensor(%layer, %layer)
  return (%sum))")),
            (std::vector<float>{0.75F, 3.5F * 2.2F}));
}

TEST(QuantizedTwin, ReadsAWeightAsItIsSet) {
  PreparedProgram prepared = prepared_program("  return (%layer)");
  QuantizedTwin twin(prepared, kBatches, kReference);
  const auto layer = observed_layers(prepared.program(), prepared.observers()).front();
  twin.quantized_inputs(layer);
  twin.set_weight(layer, Tensor::from<float>({0.25F, 0, 0, 1}, {2, 2}));  // steps of 0.5 do not hold
  const Tensor output = twin.quantized_outputs(layer).front();
  EXPECT_EQ((std::vector<float>{output.data<float>(), output.data<float>() + 2}), (std::vector<float>{0.25F, 4}));
  EXPECT_EQ(prepared.program().attributes.find("w")->value.data<float>()[0], 0.25F);
}

}  // namespace
}  // namespace qdq
