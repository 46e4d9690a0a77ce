#include "qdq/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "qdq/error.h"
#include "tensor/float_formats.h"

namespace qdq {
namespace {

TEST(Shape, StridesThatWouldOverflowAreRefused) {
  EXPECT_EQ(contiguous_strides(Shape{2, 0, 3}), (Shape{3, 3, 1}));
  EXPECT_THROW(contiguous_strides(Shape{1, std::int64_t{1} << 40, std::int64_t{1} << 40}), InvalidArgumentError);
  EXPECT_THROW(contiguous_strides(Shape{2, -1}), InvalidArgumentError);
}

TEST(Tensor, RefusesElementsBeyondItsStorage) {
  auto storage = Storage::allocate(16);
  EXPECT_NO_THROW(Tensor(storage, DType::float32, {2, 2}, {2, 1}));
  EXPECT_THROW(Tensor(storage, DType::float32, {2, 3}, {3, 1}), InvalidArgumentError);
  EXPECT_THROW(Tensor(storage, DType::float32, {2, 2}, {2, 1}, 1), InvalidArgumentError);
  EXPECT_THROW(Tensor(storage, DType::float32, {2}, {std::numeric_limits<std::int64_t>::max()}), InvalidArgumentError);
  EXPECT_THROW(Tensor(storage, DType::float32, {2}, {-1}, 1), InvalidArgumentError);
}

TEST(Tensor, PermuteIsAViewAndCloneIsContiguous) {
  const Tensor t = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const std::int64_t order[] = {1, 0};
  const Tensor p = t.permute(order);
  EXPECT_EQ(p.storage(), t.storage());
  EXPECT_FALSE(p.is_contiguous());
  EXPECT_TRUE(p.is_dense());
  EXPECT_TRUE(bit_equal(p.clone(), Tensor::from<float>({1, 4, 2, 5, 3, 6}, {3, 2})));
}

TEST(Tensor, ConvertsToBoolByBeingNonZero) {
  const Tensor t = Tensor::from<float>({0.0f, 0.5f, -2.0f}, {3});
  EXPECT_TRUE(bit_equal(t.to(DType::bool_), Tensor::from<bool>({false, true, true}, {3})));
}

TEST(Tensor, EmptyDimensionsHaveNoElements) {
  const Tensor t = Tensor::empty(DType::float32, {3, 0, 2});
  EXPECT_EQ(t.numel(), 0);
  EXPECT_TRUE(bit_equal(t.clone(), t));
}

TEST(FloatFormats, HalfRoundsTiesToEvenAndKeepsDenormals) {
  EXPECT_EQ(float_to_half(1.0f), 0x3c00);
  EXPECT_EQ(float_to_half(1.0f + 1.0f / 2048), 0x3c00);  // tie: down to even
  EXPECT_EQ(float_to_half(1.0f + 3.0f / 2048), 0x3c02);  // tie: up to even
  EXPECT_EQ(float_to_half(65504.0f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(std::ldexp(1.0f, -24)), 0x0001);
  EXPECT_EQ(float_to_half(std::ldexp(1.0f, -25)), 0x0000);
  EXPECT_EQ(float_to_half(-0.0f), 0x8000);
}

TEST(FloatFormats, EveryHalfSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_half(value), half);
  }
}

TEST(FloatFormats, Float8E4M3FNHasNoInfinity) {
  EXPECT_EQ(float_to_float8_e4m3fn(448.0f), 0x7e);
  EXPECT_TRUE(std::isnan(float8_e4m3fn_to_float(0x7f)));
  EXPECT_EQ(float8_e4m3fn_to_float(0x7e), 448.0f);
  EXPECT_EQ(float_to_float8_e4m3fn(470.0f), 0x7e);
  EXPECT_EQ(float_to_float8_e4m3fn(-1e6f), 0xfe);
  EXPECT_EQ(float_to_float8_e4m3fn(std::numeric_limits<float>::infinity()), 0x7e);
  EXPECT_TRUE(std::isnan(float8_e4m3fn_to_float(float_to_float8_e4m3fn(std::nanf("")))));
}

}  // namespace
}  // namespace qdq
