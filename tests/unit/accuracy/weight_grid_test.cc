#include "accuracy/weight_grid.h"

#include <gtest/gtest.h>

namespace qdq {
namespace {

std::vector<float> nearest(Observer& observer, const Tensor& weight) {
  const Tensor result = WeightGrid::of(observer, weight)->nearest(weight);
  return {result.data<float>(), result.data<float>() + result.numel()};
}

const Tensor kWeight = Tensor::from<float>({7, 1.2F, -0.4F, 3.6F, 70, 14, -30, 5}, {2, 4});

TEST(WeightGrid, HasOneScaleForAllElements) {
  const auto observer = min_max_observer()(
      {.dtype = DType::int8, .qscheme = QScheme::per_tensor_symmetric, .quant_min = -7, .quant_max = 7});
  EXPECT_EQ(nearest(*observer, kWeight), (std::vector<float>{10, 0, 0, 0, 70, 10, -30, 0}));
}

TEST(WeightGrid, HasAScaleForEachChannel) {
  const auto observer = per_channel_min_max_observer()(
      {.dtype = DType::int8, .qscheme = QScheme::per_channel_symmetric, .quant_min = -7, .quant_max = 7, .ch_axis = 0});
  EXPECT_EQ(nearest(*observer, kWeight), (std::vector<float>{7, 1, 0, 4, 70, 10, -30, 0}));
}

TEST(WeightGrid, HasAScaleForEachGroup) {
  const auto observer = affine_quantized_min_max_observer()({.dtype = DType::int8,
                                                             .quant_min = -7,
                                                             .quant_max = 7,
                                                             .mapping_type = MappingType::symmetric,
                                                             .granularity = PerGroup{2}});
  const auto grid = WeightGrid::of(*observer, kWeight);
  ASSERT_TRUE(grid);
  EXPECT_EQ(grid->scale(0), grid->scale(1));
  EXPECT_NE(grid->scale(1), grid->scale(2));
  EXPECT_FLOAT_EQ(grid->scale(2) / grid->scale(0), 3.6F / 7);
}

TEST(WeightGrid, SaysWhyThereIsNone) {
  std::string why;
  EXPECT_FALSE(WeightGrid::of(*placeholder_observer()({.dtype = DType::float16}), kWeight, &why));
  EXPECT_EQ(why, "its weight is cast to float16, not put on a grid");
}

}  // namespace
}  // namespace qdq
