#include "qdq/dtype.h"

#include <gtest/gtest.h>

namespace qdq {
namespace {

TEST(DType, OfLessThanEightBitsHasItsOwnLimitsAndLivesInAByte) {
  const auto expect = [](DType dtype, DType plain, std::int64_t min, std::int64_t max) {
    EXPECT_EQ(plain_dtype(dtype), plain) << name(dtype);
    EXPECT_EQ(element_size(dtype), 1u) << name(dtype);
    EXPECT_EQ(integer_limits(dtype).min, min) << name(dtype);
    EXPECT_EQ(integer_limits(dtype).max, max) << name(dtype);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype);
    EXPECT_TRUE(is_integral(dtype));
  };
  expect(DType::uint1, DType::uint8, 0, 1);
  expect(DType::uint4, DType::uint8, 0, 15);
  expect(DType::uint7, DType::uint8, 0, 127);
  expect(DType::int1, DType::int8, -1, 0);
  expect(DType::int4, DType::int8, -8, 7);
  expect(DType::int7, DType::int8, -64, 63);
  expect(DType::quint4x2, DType::uint8, 0, 15);
}

TEST(DType, ShortNamesAreNoSymbols) {
  EXPECT_FALSE(dtype_from_name("u1")) << "an unbacked symbolic size";
  EXPECT_EQ(dtype_from_name("i8"), DType::int8);
}

}  // namespace
}  // namespace qdq
