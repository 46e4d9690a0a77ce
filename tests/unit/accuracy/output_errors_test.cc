#include "accuracy/output_errors.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

const ActivationRange kWholeNumbers = {.scale = 1, .zero_point = 0, .quant_min = 0, .quant_max = 255};

class OutputErrors : public testing::TestWithParam<ExecutorOptions::Kind> {
 protected:
  std::vector<double> errors(const std::string& text, const std::vector<QuantizedPoints>& sets,
                             const CalibrationBatches& batches) {
    return output_errors(parse_program(text), sets, batches, {.kind = GetParam()});
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, OutputErrors,
                         testing::Values(ExecutorOptions::Kind::reference, ExecutorOptions::Kind::fast));

TEST_P(OutputErrors, MeasuresEachSetOnASampleOfItsOwn) {
  const std::string text = R"(graph(x: f32[2, 2], y: f32[2, 2]) {
  %seen_x: f32[2, 2] = call_module @x(%x)
  %seen_y: f32[2, 2] = call_module @y(%y)
  %add: f32[2, 2] = aten.add.Tensor(%seen_x, %seen_y)
  %mul: f32[2, 2] = aten.mul.Tensor(%add, %x)
  return (%add, %mul)
})";
  const CalibrationBatches batches = {
      {Tensor::from<float>({0.5F, 2, 1, 2}, {2, 2}), Tensor::from<float>({1, 0, 0, 2.25F}, {2, 2})}};
  // x in sample 0: 0.5 becomes 0; sums 1.5 and 2 err by 0.5, products with the unquantized x of 0.75 and 4 by 0.25.
  // y in sample 1: 2.25 becomes 2; sums 1 and 4.25 err by 0.25, products of 1 and 8.5 by 0.5.
  // Both in the sample that comes next, which is sample 0 again: y is exact there.
  const std::vector<double> found = errors(
      text, {{{"x", kWholeNumbers}}, {{"y", kWholeNumbers}}, {{"x", kWholeNumbers}, {"y", kWholeNumbers}}}, batches);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_NEAR(found[0], 0.25 / 6.25 + 0.0625 / 16.5625, 1e-9);
  EXPECT_NEAR(found[1], 0.0625 / 19.0625 + 0.25 / 73.25, 1e-9);
  EXPECT_NEAR(found[2], found[0], 1e-12);
}

TEST_P(OutputErrors, QuantizesWholeBatchesWhereNothingCountsSamples) {
  const std::string sum = R"(graph(x: f32[2, 2]) {
  %seen: f32[2, 2] = call_module @x(%x)
  %sum: f32[] = aten.sum.default(%seen)
  return (%sum)
})";
  const CalibrationBatches batches = {{Tensor::from<float>({0.25F, 2, 1.25F, 2}, {2, 2})}};
  EXPECT_NEAR(errors(sum, {{{"x", kWholeNumbers}}}, batches)[0], 0.25 / 30.25, 1e-9);
  // The outputs count samples, what is quantized does not.
  const std::string flat = R"(graph(x: f32[2, 2]) {
  %view: f32[4] = aten.view.default(%x, [4])
  %seen: f32[4] = call_module @x(%view)
  %back: f32[2, 2] = aten.view.default(%seen, [2, 2])
  return (%back)
})";
  EXPECT_NEAR(errors(flat, {{{"x", kWholeNumbers}}}, batches)[0], 0.125 / 9.625, 1e-9);
}

}  // namespace
}  // namespace qdq
