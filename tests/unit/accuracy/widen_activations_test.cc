#include <gtest/gtest.h>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

TEST(WidenActivations, GivesSixteenBitsToWhatEightCannotHold) {
  Program program = parse_program(R"(graph(x: f32[4], y: f32[4]) {
  %seen_x: f32[4] = call_module @x(%x)
  %seen_y: f32[4] = call_module @y(%y)
  %again: f32[4] = call_module @y_again(%y)
  %add: f32[4] = aten.add.Tensor(%seen_x, %seen_y)
  %mul: f32[4] = aten.mul.Tensor(%add, %again)
  return (%mul)
})");
  const auto observer = [] { return min_max_observer()({.dtype = DType::int8}); };
  const auto of_y = observer();
  PreparedProgram prepared(std::move(program), {{"x", observer()}, {"y", of_y}, {"y_again", of_y}});
  prepared.set_executor({.kind = ExecutorOptions::Kind::reference});
  // y has steps of 255 / 255 = 1 but for one value: 0.4, -0.4 and 0.3 become 0. That is about 51 dB. Of x all
  // are whole steps.
  const CalibrationBatches batches = {
      {Tensor::from<float>({0, 1, 2, 255}, {4}), Tensor::from<float>({0.4F, -0.4F, 0.3F, 255}, {4})}};
  prepared.calibrate(batches[0]);
  WidenOptions options{.least_sqnr_db = 40, .executor = {.kind = ExecutorOptions::Kind::reference}};
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 0);
  options.least_sqnr_db = 80;
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 1);
  EXPECT_EQ(prepared.observers().at("x")->dtype(), DType::int8);
  EXPECT_EQ(prepared.observers().at("y")->dtype(), DType::int16);
  EXPECT_EQ(prepared.observers().at("y"), prepared.observers().at("y_again"));
  EXPECT_EQ(prepared.observers().at("y")->quant_max(), 32767);
  EXPECT_EQ(observed_bounds(*prepared.observers().at("y"))->second, 255);
}

// x itself has 62 dB: only the large value counts. Of the square roots the small ones are a part, and become 0: 29 dB.
TEST(WidenActivations, LooksAtWhatOpsMakeOfTheErrors) {
  Program program = parse_program(R"(graph(x: f32[4]) {
  %seen_x: f32[4] = call_module @x(%x)
  %sqrt: f32[4] = aten.sqrt.default(%seen_x)
  return (%sqrt)
})");
  PreparedProgram prepared(std::move(program), {{"x", min_max_observer()({.dtype = DType::uint8})}});
  prepared.set_executor({.kind = ExecutorOptions::Kind::reference});
  const CalibrationBatches batches = {{Tensor::from<float>({0.09F, 0.16F, 0.04F, 255}, {4})}};
  prepared.calibrate(batches[0]);
  WidenOptions options{.least_sqnr_db = 28, .executor = {.kind = ExecutorOptions::Kind::reference}};
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 0);
  options.least_sqnr_db = 30;
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 1);
  EXPECT_EQ(prepared.observers().at("x")->dtype(), DType::int16);
}

TEST(WidenActivations, GivesTheTermsOfASumTheBitsOfTheSum) {
  Program program = parse_program(R"(graph(x: f32[4], y: f32[4]) {
  %seen_x: f32[4] = call_module @x(%x)
  %seen_y: f32[4] = call_module @y(%y)
  %add: f32[4] = aten.add.Tensor(%seen_x, %seen_y)
  %seen_add: f32[4] = call_module @add(%add)
  %sqrt: f32[4] = aten.sqrt.default(%seen_add)
  return (%sqrt)
})");
  const auto observer = [] { return min_max_observer()({.dtype = DType::uint8}); };
  PreparedProgram prepared(std::move(program), {{"x", observer()}, {"y", observer()}, {"add", observer()}});
  prepared.set_executor({.kind = ExecutorOptions::Kind::reference});
  const CalibrationBatches batches = {
      {Tensor::from<float>({0.05F, 0.1F, 0.02F, 128}, {4}), Tensor::from<float>({0.04F, 0.06F, 0.02F, 127}, {4})}};
  prepared.calibrate(batches[0]);
  // The sum is that of the test above; x and y have more than 60 dB, and the sum of them has.
  const WidenOptions options{.least_sqnr_db = 30, .executor = {.kind = ExecutorOptions::Kind::reference}};
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 3);
}

}  // namespace
}  // namespace qdq
