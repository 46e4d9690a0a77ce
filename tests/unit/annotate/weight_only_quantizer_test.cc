#include "qdq/weight_only_quantizer.h"

#include <gtest/gtest.h>

#include "annotation_text.h"
#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

Program net() {
  return parse_program(R"(
attribute @w: parameter f32[2, 4] = [2.0, -1.0, 0.5, 0.25, 7.0, 3.5, 1.0, 0.0]
attribute @v: parameter f32[1, 2, 1, 1] = [1.0, 2.0]
graph(x: f32[1, 4], y: f32[1, 2, 1, 1]) {
  %w: f32[2, 4] = get_attr @w
  %v: f32[1, 2, 1, 1] = get_attr @v
  %linear: f32[1, 2] = aten.linear.default(%x, %w)
  %conv: f32[1, 1, 1, 1] = aten.conv2d.default(%y, %v)
  return (%linear, %conv)
})");
}

TEST(WeightOnlyQuantizer, AnnotatesTheWeightsOfConvolutionsAndLinears) {
  Program program = net();
  WeightOnlyQuantizer().annotate(program);
  EXPECT_EQ(annotations(program),
            "linear by weight: w=PerChannelMinMaxObserver\n"
            "conv by weight: v=PerChannelMinMaxObserver\n");
}

TEST(WeightOnlyQuantizer, GroupsAreForLinearsThatTheyDivide) {
  Program program = net();
  WeightOnlyQuantizer({.bits = 4, .group_size = 2}).annotate(program);
  EXPECT_EQ(annotations(program), "linear by weight: w=AffineQuantizedMinMaxObserver\n");
  EXPECT_EQ(program.graph().find("conv")->annotation->why_not, "groups are for the weights of linears");
  Program other = net();
  WeightOnlyQuantizer({.bits = 4, .group_size = 3}).annotate(other);
  EXPECT_EQ(other.graph().find("linear")->annotation->why_not, "its 4 inputs are not a multiple of the group size 3");
}

TEST(WeightOnlyQuantizer, StoresFourBitsForEachWeightAndAScaleForEachGroup) {
  WeightOnlyQuantizer quantizer({.bits = 4, .group_size = 2});
  PreparedProgram prepared = prepare(net(), quantizer);
  prepared.calibrate({Tensor::full(DType::float32, {1, 4}, 1.0), Tensor::full(DType::float32, {1, 2, 1, 1}, 1.0)});
  const Program converted = convert(std::move(prepared));
  // Symmetric: scale = max(|min|, max) / 7.5.
  const Tensor& scale = converted.attributes.tensor("_scale0");
  EXPECT_TRUE(bit_equal(scale, Tensor::from<float>({2.0f / 7.5f, 0.5f / 7.5f, 7.0f / 7.5f, 1.0f / 7.5f}, {2, 2})));
  const Tensor& weight = converted.attributes.tensor("_frozen_param0");
  EXPECT_EQ(weight.dtype(), DType::int8);
  EXPECT_TRUE(bit_equal(weight, Tensor::from<std::int8_t>({7, -4, 7, 4, 7, 4, 7, 0}, {2, 4})));
  const std::vector<Tensor> results =
      make_executor(converted, {})
          ->run({Tensor::full(DType::float32, {1, 4}, 1.0), Tensor::full(DType::float32, {1, 2, 1, 1}, 1.0)});
  // (7*2 - 4*2 + 7*0.5 + 4*0.5) / 7.5 and (7*7 + 4*7 + 7*1) / 7.5
  EXPECT_NEAR(results[0].data<float>()[0], 11.5 / 7.5, 1e-6);
  EXPECT_NEAR(results[0].data<float>()[1], 84.0 / 7.5, 1e-6);
}

TEST(WeightOnlyQuantizer, RefusesWidthsThatInt8DoesNotHold) {
  EXPECT_THROW(WeightOnlyQuantizer({.bits = 9}), InvalidArgumentError);
  EXPECT_THROW(WeightOnlyQuantizer({.bits = 4, .group_size = 0}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
