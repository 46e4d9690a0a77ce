#include "tensor/quant_math.h"

#include <gtest/gtest.h>

namespace qdq {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::int8_t to_int8(float value, double scale, float zero_point) {
  return quantize<std::int8_t>(value, inverse_scale(scale), zero_point, -128.0f, 127.0f);
}

TEST(Quantize, RoundsTiesToEven) {
  EXPECT_EQ(to_int8(0.5f, 1.0, 0.0f), 0);
  EXPECT_EQ(to_int8(1.5f, 1.0, 0.0f), 2);
  EXPECT_EQ(to_int8(2.5f, 1.0, 0.0f), 2);
  EXPECT_EQ(to_int8(-0.5f, 1.0, 0.0f), 0);
  EXPECT_EQ(to_int8(-1.5f, 1.0, 0.0f), -2);
}

TEST(Quantize, AddsTheZeroPointAfterRounding) {
  EXPECT_EQ(to_int8(0.5f, 1.0, 1.0f), 1);  // 0 + 1, where rounding 1.5 would give 2
  EXPECT_EQ(to_int8(3.0f, 0.5, -128.0f), -122);
}

TEST(Quantize, Saturates) {
  EXPECT_EQ(to_int8(1e10f, 1.0, 0.0f), 127);
  EXPECT_EQ(to_int8(-1e10f, 1.0, 0.0f), -128);
  EXPECT_EQ(to_int8(kInf, 1.0, 0.0f), 127);
  EXPECT_EQ(to_int8(-kInf, 1.0, 0.0f), -128);
  EXPECT_EQ((quantize<std::uint8_t>(-3.0f, 1.0f, 0.0f, 0.0f, 255.0f)), 0);
}

TEST(Quantize, GivesNaNTorchsIntegers) {
  EXPECT_EQ(to_int8(kNaN, 1.0, 5.0f), 0);
  EXPECT_EQ((quantize<std::int32_t>(kNaN, 1.0f, 0.0f, -2147483648.0f, 2147483647.0f)), -2147483647 - 1);
}

// 2^31 - 1 has no float: the bound is 2^31, which does not fit int32 and becomes its minimum. In double it fits.
TEST(Quantize, OverflowsInt32InFloatLikeTorch) {
  EXPECT_EQ((quantize<std::int32_t>(1e10f, 1.0f, 0.0f, -2147483648.0f, 2147483647.0f)), -2147483647 - 1);
  EXPECT_EQ((quantize<std::int32_t>(1e10, 1.0, 0.0, -2147483648.0, 2147483647.0)), 2147483647);
}

// 1 / 0.1 is 10 exactly in float; 0.35 * 10 is 3.5 exactly, a tie. Dividing 0.35 by float 0.1 gives 3.4999998.
TEST(Quantize, MultipliesWithTheReciprocal) {
  EXPECT_EQ(inverse_scale(0.1), 10.0f);
  EXPECT_EQ(to_int8(0.35f, 0.1, 0.0f), 4);
}

TEST(Dequantize, SubtractsThenScales) {
  EXPECT_EQ(dequantize(127.0f, 0.5f, -1.0f), 64.0f);
  // 2147483647 rounds to 2^31 in float; minus 3 changes nothing.
  EXPECT_EQ(dequantize(2147483647.0f, 0.25f, 3.0f), 536870912.0f);
}

TEST(FloatToInteger, KeepsTheLowBits) {
  EXPECT_EQ(float_to_integer<std::int8_t>(300.0f), 44);
  EXPECT_EQ(float_to_integer<std::uint8_t>(-1.0f), 255);
  EXPECT_EQ(float_to_integer<std::int8_t>(3e9f), 0);
  EXPECT_EQ(float_to_integer<std::int64_t>(kNaN), std::numeric_limits<std::int64_t>::min());
}

}  // namespace
}  // namespace qdq
