#include <gtest/gtest.h>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

const ExecutorOptions kReference = {.kind = ExecutorOptions::Kind::reference};

std::shared_ptr<Observer> eight_bits() { return min_max_observer()({.dtype = DType::uint8}); }

PreparedProgram calibrated(Program program, std::map<std::string, std::shared_ptr<Observer>> observers,
                           const CalibrationBatches& batches) {
  PreparedProgram prepared(std::move(program), std::move(observers));
  prepared.set_executor(kReference);
  prepared.calibrate(batches[0]);
  return prepared;
}

DType dtype_of(const PreparedProgram& prepared, const std::string& target) {
  return prepared.observers().at(target)->dtype();
}

TEST(WidenActivations, GivesSixteenBitsToWhatEightCannotHold) {
  const auto of_y = eight_bits();
  // y has steps of 1 but for one value: 0.4 becomes 0. Of x all are whole steps.
  const CalibrationBatches batches = {
      {Tensor::from<float>({0, 1, 2, 255}, {1, 4}), Tensor::from<float>({0.4F, 0.4F, 0.3F, 255}, {1, 4})}};
  PreparedProgram prepared = calibrated(parse_program(R"(graph(x: f32[1, 4], y: f32[1, 4]) {
  %seen_x: f32[1, 4] = call_module @x(%x)
  %seen_y: f32[1, 4] = call_module @y(%y)
  %again: f32[1, 4] = call_module @y_again(%y)
  %add: f32[1, 4] = aten.add.Tensor(%seen_x, %seen_y)
  %mul: f32[1, 4] = aten.mul.Tensor(%add, %again)
  return (%mul)
})"),
                                        {{"x", eight_bits()}, {"y", of_y}, {"y_again", of_y}}, batches);
  // Of 510^2 * 255^2 in the squared results an error of less than 2 in all: more than 90 dB.
  EXPECT_EQ(widen_activations(prepared, batches, {.target_sqnr_db = 90, .executor = kReference}).changed, 0);
  EXPECT_EQ(widen_activations(prepared, batches, {.target_sqnr_db = 120, .executor = kReference}).changed, 1);
  EXPECT_EQ(dtype_of(prepared, "x"), DType::uint8);
  EXPECT_EQ(dtype_of(prepared, "y"), DType::int16);
  EXPECT_EQ(prepared.observers().at("y"), prepared.observers().at("y_again"));
  EXPECT_EQ(prepared.observers().at("y")->quant_max(), 32767);
  EXPECT_EQ(observed_bounds(*prepared.observers().at("y"))->second, 255);
}

// x itself has 62 dB: only the large value counts. Of the square roots the small ones are a part, and become 0: the error is
// 0.09 + 0.16 + 0.04 of 255.29, 29.4 dB. The terms of a sum in front of it err as much.
TEST(WidenActivations, LooksAtWhatOpsMakeOfTheErrors) {
  const CalibrationBatches batches = {{Tensor::from<float>({0.09F, 0.16F, 0.04F, 255}, {1, 4})}};
  const std::string text = R"(graph(x: f32[1, 4]) {
  %seen_x: f32[1, 4] = call_module @x(%x)
  %sum: f32[1, 4] = aten.add.Tensor(%seen_x, 0.0)
  %seen_sum: f32[1, 4] = call_module @sum(%sum)
  %sqrt: f32[1, 4] = aten.sqrt.default(%seen_sum)
  return (%sqrt)
})";
  PreparedProgram prepared = calibrated(parse_program(text), {{"x", eight_bits()}, {"sum", eight_bits()}}, batches);
  // Twice 0.29 of 255.29: 26.4 dB.
  WidenOptions options{.target_sqnr_db = 26, .share = 1, .at_least = 0, .executor = kReference};
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 0);
  options.target_sqnr_db = 30;
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 2);
  // Half of the two.
  prepared = calibrated(parse_program(text), {{"x", eight_bits()}, {"sum", eight_bits()}}, batches);
  options.share = 0.5;
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 1);
  // Of a few values the share is too coarse a bound.
  prepared = calibrated(parse_program(text), {{"x", eight_bits()}, {"sum", eight_bits()}}, batches);
  options.at_least = 2;
  EXPECT_EQ(widen_activations(prepared, batches, options).changed, 2);
}

Program fork_of(float weight) {
  Program program = parse_program(R"(graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %seen: f32[1, 2] = call_module @x(%x)
  %linear: f32[1, 2] = aten.linear.default(%seen, %w)
  %add: f32[1, 2] = aten.add.Tensor(%seen, %linear)
  return (%add)
})");
  program.attributes.add(
      {"w", AttributeKind::parameter, Tensor::from<float>({weight, 0, 0, weight}, {2, 2}), true, false, ""});
  return program;
}

const CalibrationBatches kForkBatches = {{Tensor::from<float>({0.4F, 255}, {1, 2})}};

TEST(WidenActivations, LeavesLayersTheirEightBitsWhereOthersNeedMore) {
  PreparedProgram prepared = calibrated(fork_of(0.001F), {{"x", eight_bits()}}, kForkBatches);
  const WidenOptions options{.target_sqnr_db = 100, .share = 0.5, .at_least = 0, .executor = kReference};
  EXPECT_EQ(widen_activations(prepared, kForkBatches, options).changed, 1);
  EXPECT_EQ(to_text(prepared.program()), R"(graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %seen: f32[1, 2] = call_module @x(%x)
  %x_layers: f32[1, 2] = call_module @x_layers(%x)
  %linear: f32[1, 2] = aten.linear.default(%x_layers, %w)
  %add: f32[1, 2] = aten.add.Tensor(%seen, %linear)
  return (%add)
}
)");
  EXPECT_EQ(dtype_of(prepared, "x"), DType::int16);
  EXPECT_EQ(dtype_of(prepared, "x_layers"), DType::uint8);
}

TEST(WidenActivations, WidensWhatLayersReadWithinTheWorkThatMayRunInFloat) {
  // The layer multiplies the error by 8, and does all of the work.
  PreparedProgram prepared = calibrated(fork_of(8), {{"x", eight_bits()}}, kForkBatches);
  WidenOptions options{.target_sqnr_db = 100, .share = 0.5, .at_least = 0, .executor = kReference};
  EXPECT_EQ(widen_activations(prepared, kForkBatches, options).changed, 1);
  EXPECT_EQ(dtype_of(prepared, "x"), DType::int16);
  EXPECT_EQ(dtype_of(prepared, "x_layers"), DType::uint8);

  prepared = calibrated(fork_of(8), {{"x", eight_bits()}}, kForkBatches);
  options.float_work = 1;
  EXPECT_EQ(widen_activations(prepared, kForkBatches, options).changed, 1);
  EXPECT_EQ(dtype_of(prepared, "x"), DType::uint8);
  EXPECT_EQ(dtype_of(prepared, "x_layers"), DType::int16);

  prepared = calibrated(fork_of(8), {{"x", eight_bits()}}, kForkBatches);
  options.share = 1;
  EXPECT_EQ(widen_activations(prepared, kForkBatches, options).changed, 2);
  EXPECT_EQ(dtype_of(prepared, "x"), DType::int16);
  EXPECT_EQ(prepared.observers().size(), 1U);
}

}  // namespace
}  // namespace qdq
