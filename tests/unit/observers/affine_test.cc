#include <gtest/gtest.h>

#include <limits>

#include "qdq/error.h"
#include "qdq/observer.h"

namespace qdq {
namespace {

using Sizes = std::vector<std::int64_t>;

TEST(Granularity, CutsATensorIntoBlocks) {
  const Sizes sizes = {4, 6, 8};
  EXPECT_EQ(block_size_of(PerTensor{}, sizes), (Shape{4, 6, 8}));
  EXPECT_EQ(block_size_of(PerAxis{1}, sizes), (Shape{4, 1, 8}));
  EXPECT_EQ(block_size_of(PerAxis{-1}, sizes), (Shape{4, 6, 1}));
  EXPECT_EQ(block_size_of(PerGroup{2}, sizes), (Shape{1, 1, 2}));
  EXPECT_EQ(block_size_of(PerToken{}, sizes), (Shape{1, 1, 8}));
  EXPECT_EQ(block_size_of(PerRow{1}, sizes), (Shape{1, 6, 1}));
  EXPECT_EQ(block_size_of(PerBlock{{3, 4}}, sizes), (Shape{1, 3, 4}));
}

TEST(Granularity, RefusesBlocksThatDoNotFit) {
  const Sizes sizes = {4, 6};
  EXPECT_THROW(block_size_of(PerGroup{4}, sizes), InvalidArgumentError);
  EXPECT_THROW(block_size_of(PerGroup{0}, sizes), InvalidArgumentError);
  EXPECT_THROW(block_size_of(PerGroup{-2}, sizes), InvalidArgumentError);
  EXPECT_THROW(block_size_of(PerAxis{2}, sizes), InvalidArgumentError);
  EXPECT_THROW(block_size_of(PerRow{-3}, sizes), InvalidArgumentError);
  EXPECT_THROW(block_size_of(PerToken{}, Sizes{}), InvalidArgumentError);
  EXPECT_THROW(block_size_of(PerBlock{{1, 1, 1}}, sizes), InvalidArgumentError);
}

TEST(Granularity, IsWrittenAsItIsRead) {
  for (const Granularity& granularity :
       {Granularity(PerTensor{}), Granularity(PerToken{}), Granularity(PerAxis{-2}), Granularity(PerGroup{32}),
        Granularity(PerRow{}), Granularity(PerBlock{{2, 4}})})
    EXPECT_EQ(granularity_from_text(to_string(granularity)), granularity) << to_string(granularity);
  EXPECT_EQ(to_string(PerBlock{{2, 4}}), "PerBlock(2,4)");
  for (const char* nonsense : {"", "Per", "PerGroup", "PerGroup()", "PerGroup(1,2)", "PerGroup(1", "PerGroup(1x)",
                               "PerGroup(1,)", "PerTensor()", "PerLine(1)", ")"})
    EXPECT_FALSE(granularity_from_text(nonsense)) << nonsense;
}

ObserverOptions affine(MappingType mapping, DType dtype, Granularity granularity) {
  return {.dtype = dtype, .mapping_type = mapping, .granularity = granularity};
}

void expect_equal(const Tensor& found, const Tensor& expected) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  EXPECT_TRUE(bit_equal(found, expected));
}

TEST(AffineMinMax, HasAScaleForEachGroup) {
  auto observer = affine_quantized_min_max_observer(affine(MappingType::symmetric, DType::int4, PerGroup{2}))();
  observer->observe(Tensor::from<float>({1, -3, 6, 0, /**/ -15, 2, 0, 0}, {2, 4}));
  EXPECT_EQ(observer->quant_min(), -8);
  EXPECT_EQ(observer->quant_max(), 7);
  EXPECT_EQ(observer->affine()->block_size, (Shape{1, 2}));
  const QParams found = observer->calculate_qparams();
  expect_equal(found.scale, Tensor::from<float>({3 / 7.5f, 6 / 7.5f, 15 / 7.5f, 0x1p-23f}, {2, 2}));
  expect_equal(found.zero_point, Tensor::from<float>({0, 0, 0, 0}, {2, 2}));
}

TEST(AffineMinMax, CoversBothEndsWithoutClipping) {
  auto observer =
      affine_quantized_min_max_observer(affine(MappingType::symmetric_no_clipping_err, DType::int4, PerAxis{0}))();
  observer->observe(Tensor::from<float>({-16, 7, /**/ -8, 14}, {2, 2}));
  expect_equal(observer->calculate_qparams().scale, Tensor::from<float>({2, 2}, {2}));
}

TEST(AffineMinMax, AnUnpreservedZeroHasAFloatZeroPoint) {
  ObserverOptions options = affine(MappingType::asymmetric, DType::uint4, PerTensor{});
  options.preserve_zero = false;
  EXPECT_THROW(affine_quantized_min_max_observer(options)(), InvalidArgumentError);
  options.zero_point_domain = ZeroPointDomain::floating;
  auto observer = affine_quantized_min_max_observer(options)();
  observer->observe(Tensor::from<float>({5, 20}, {2}));  // 15 steps of 1; the middle, 8, stands for 13
  expect_equal(observer->calculate_qparams().scale, Tensor::scalar(1.0f));
  expect_equal(observer->calculate_qparams().zero_point, Tensor::scalar(13.0f));
}

TEST(AffineMinMax, MayHaveNoZeroPoint) {
  ObserverOptions options = affine(MappingType::asymmetric, DType::uint8, PerTensor{});
  options.zero_point_domain = ZeroPointDomain::none;
  auto observer = affine_quantized_min_max_observer(options)();
  observer->observe(Tensor::from<float>({0, 255}, {2}));
  expect_equal(observer->calculate_qparams().scale, Tensor::scalar(1.0f));
  EXPECT_FALSE(observer->calculate_qparams().zero_point.defined());
}

TEST(AffineMinMax, ReturnsTheDTypesAskedFor) {
  ObserverOptions options = affine(MappingType::asymmetric, DType::uint8, PerTensor{});
  options.scale_dtype = DType::float64;
  options.zero_point_dtype = DType::int32;
  auto observer = affine_quantized_min_max_observer(options)();
  observer->observe(Tensor::from<float>({-51, 204}, {2}));
  expect_equal(observer->calculate_qparams().scale, Tensor::scalar(1.0));
  expect_equal(observer->calculate_qparams().zero_point, Tensor::scalar<std::int32_t>(51));
}

TEST(AffineMinMax, RefusesOtherShapesAndDTypes) {
  auto observer = affine_quantized_min_max_observer(affine(MappingType::asymmetric, DType::uint8, PerToken{}))();
  EXPECT_THROW(observer->calculate_qparams(), InvalidArgumentError);
  observer->observe(Tensor::full(DType::float32, {2, 3}, 1));
  EXPECT_THROW(observer->observe(Tensor::full(DType::float32, {3, 3}, 1)), InvalidArgumentError);
  EXPECT_THROW(observer->observe(Tensor::full(DType::float16, {2, 3}, 1)), InvalidArgumentError);
}

TEST(AffineMinMax, RefusesOptionsThatContradictEachOther) {
  const auto build = [](ObserverOptions options) { affine_quantized_min_max_observer(options)(); };
  const ObserverOptions good = affine(MappingType::symmetric, DType::int8, PerTensor{});
  EXPECT_NO_THROW(build(good));
  const auto without = [&](auto field) {
    ObserverOptions options = good;
    (options.*field).reset();
    return options;
  };
  EXPECT_THROW(build(without(&ObserverOptions::dtype)), InvalidArgumentError);
  EXPECT_THROW(build(without(&ObserverOptions::granularity)), InvalidArgumentError);
  EXPECT_THROW(build(without(&ObserverOptions::mapping_type)), InvalidArgumentError);
  EXPECT_THROW(build(good.merged_with({.preserve_zero = false})), InvalidArgumentError);
  EXPECT_THROW(build(good.merged_with({.zero_point_domain = ZeroPointDomain::none})), InvalidArgumentError);
  EXPECT_THROW(build(good.merged_with({.quant_min = -129})), InvalidArgumentError);
  EXPECT_THROW(build(good.merged_with({.dtype = DType::int64})), InvalidArgumentError);
  EXPECT_THROW(build(good.merged_with({.is_dynamic = true})), InvalidArgumentError);
  EXPECT_THROW(build(affine(MappingType::asymmetric, DType::float8_e5m2, PerTensor{})), InvalidArgumentError);
}

TEST(AffineMovingAverage, IsDynamicOnlyWithoutAMemory) {
  ObserverOptions options = affine(MappingType::asymmetric, DType::uint8, PerToken{});
  options.is_dynamic = true;
  EXPECT_THROW(affine_quantized_moving_average_min_max_observer(options)(), InvalidArgumentError);
  options.averaging_constant = 1;
  EXPECT_TRUE(affine_quantized_moving_average_min_max_observer(options)()->is_dynamic());
}

TEST(AffineMovingAverage, FollowsSlowly) {
  ObserverOptions options = affine(MappingType::asymmetric, DType::uint8, PerAxis{0});
  options.averaging_constant = 0.25;
  auto observer = affine_quantized_moving_average_min_max_observer(options)();
  observer->observe(Tensor::from<float>({-1, 4, /**/ 0, 0}, {2, 2}));
  observer->observe(Tensor::from<float>({-5, 8, /**/ 1, 1}, {2, 2}));
  expect_equal(*observer->save_state().find("min_val"), Tensor::from<float>({-2, 0.25f}, {2}));
  expect_equal(*observer->save_state().find("max_val"), Tensor::from<float>({5, 0.25f}, {2}));
}

}  // namespace
}  // namespace qdq
