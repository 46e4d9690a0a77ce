#include "ops/promotion.h"

#include <gtest/gtest.h>

#include "ops/schema.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

Value tensor(DType dtype, Shape sizes) { return Tensor::meta(dtype, std::move(sizes)); }

TEST(PromoteTypes, FollowsTorchsTable) {
  EXPECT_EQ(promote_types(DType::uint8, DType::int8), DType::int16);
  EXPECT_EQ(promote_types(DType::uint8, DType::int64), DType::int64);
  EXPECT_EQ(promote_types(DType::bool_, DType::int8), DType::int8);
  EXPECT_EQ(promote_types(DType::int64, DType::float16), DType::float16);
  EXPECT_EQ(promote_types(DType::float16, DType::bfloat16), DType::float32);
  EXPECT_EQ(promote_types(DType::float32, DType::float64), DType::float64);
}

TEST(ResultType, LetsDimensionedTensorsDecide) {
  EXPECT_EQ(result_type({tensor(DType::float32, {2}), tensor(DType::float64, {})}), DType::float32);
  EXPECT_EQ(result_type({tensor(DType::int8, {2}), Value(std::int64_t{300})}), DType::int8);
  EXPECT_EQ(result_type({tensor(DType::int8, {2}), Value(1.5)}), DType::float32);
  EXPECT_EQ(result_type({tensor(DType::int8, {2}), tensor(DType::float64, {})}), DType::float64);
  EXPECT_EQ(result_type({tensor(DType::bool_, {2}), Value(std::int64_t{1})}), DType::int64);
  EXPECT_EQ(result_type({tensor(DType::float64, {}), Value(1.5)}), DType::float64);
  EXPECT_EQ(result_type({Value(true), Value(false)}), DType::bool_);
}

TEST(ViewStrides, SplitsAndMergesWhatLiesGapFree) {
  const Shape sizes = {2, 3, 4};
  EXPECT_EQ(view_strides(sizes, Shape{12, 4, 1}, Shape{6, 4}), (Shape{4, 1}));
  EXPECT_EQ(view_strides(sizes, Shape{12, 4, 1}, Shape{2, 3, 2, 2}), (Shape{12, 4, 2, 1}));
  // A transposed matrix keeps its rows apart: [3, 2] with strides [1, 3] cannot become [6].
  EXPECT_EQ(view_strides(Shape{3, 2}, Shape{1, 3}, Shape{6}), std::nullopt);
  EXPECT_EQ(view_strides(Shape{3, 2}, Shape{1, 3}, Shape{3, 1, 2}), (Shape{1, 6, 3}));
}

TEST(ViewStrides, SizeOneDimensionsNeverForceACopy) {
  EXPECT_EQ(view_strides(Shape{1, 6}, Shape{99, 1}, Shape{2, 3}), (Shape{3, 1}));
  EXPECT_EQ(view_strides(Shape{1}, Shape{7}, Shape{}), Shape{});
}

}  // namespace
}  // namespace qdq
