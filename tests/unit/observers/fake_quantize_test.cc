#include "qdq/fake_quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace qdq {
namespace {

std::vector<float> values_of(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::float32).contiguous();
  return {wide.data<float>(), wide.data<float>() + wide.numel()};
}

std::vector<bool> mask_of(const Tensor& tensor) {
  return std::vector<bool>(tensor.data<bool>(), tensor.data<bool>() + tensor.numel());
}

// scale 0.5, zero point 1, levels -4..3: 0.75 / 0.5 = 1.5 rounds to 2, plus 1 is level 3; 1.25 is level 2 + 1 = 3 (2.5 rounds to
// even); 2 is level 5, clipped to 3 -> (3 - 1) * 0.5 = 1.
TEST(FakeQuantizeAffine, RoundsToEvenAddsTheZeroPointAndClips) {
  const AffineQParams qparams{{4}, Tensor::from<float>({0.5f}, {1}), Tensor::from<std::int32_t>({1}, {1}), -4, 3};
  const FakeQuantized result = fake_quantize_affine(Tensor::from<float>({0.75f, 1.25f, 2.0f, -3.0f}, {4}), qparams);
  EXPECT_EQ(values_of(result.values), (std::vector<float>{1.0f, 1.0f, 1.0f, -2.5f}));
  EXPECT_EQ(mask_of(result.inside), (std::vector<bool>{true, true, false, false}));
}

// Blocks of [1, 2] in [2, 4]: each pair has a scale of its own, in row-major order of the blocks.
TEST(FakeQuantizeAffine, EachBlockHasItsScale) {
  const AffineQParams qparams{{1, 2}, Tensor::from<float>({1.0f, 2.0f, 4.0f, 8.0f}, {2, 2}), Tensor(), -8, 7};
  const Tensor input = Tensor::from<float>({3, 3, 3, 3, 3, 3, 3, 3}, {2, 4});
  EXPECT_EQ(values_of(fake_quantize_affine(input, qparams).values), (std::vector<float>{3, 3, 4, 4, 4, 4, 0, 0}));
}

// Blocks of [2, 1, 2] in [4, 2, 2]: rows 0 and 1 share, rows 2 and 3; the middle index tells blocks apart.
TEST(FakeQuantizeAffine, BlocksMaySpanOuterDimensions) {
  const AffineQParams qparams{{2, 1, 2}, Tensor::from<float>({1.0f, 2.0f, 4.0f, 8.0f}, {2, 2, 1}), Tensor(), -8, 7};
  const Tensor input = Tensor::from<float>(std::vector<float>(16, 5.0f), {4, 2, 2});
  EXPECT_EQ(values_of(fake_quantize_affine(input, qparams).values),
            (std::vector<float>{5, 5, 4, 4, 5, 5, 4, 4, 4, 4, 8, 8, 4, 4, 8, 8}));
}

// Levels 0..15, middle 8: level = round((x - (1 - 0.5 * 8)) / 0.5), y = (level - 8) * 0.5 + 1.
TEST(FakeQuantizeAffine, AZeroPointMayBeTheMiddleOfTheRange) {
  const AffineQParams qparams{{3}, Tensor::from<float>({0.5f}, {1}), Tensor::from<float>({1.0f}, {1}), 0,
                              15,  ZeroPointDomain::floating};
  const FakeQuantized result = fake_quantize_affine(Tensor::from<float>({1.0f, 1.3f, 9.0f}, {3}), qparams);
  EXPECT_EQ(values_of(result.values), (std::vector<float>{1.0f, 1.5f, 4.5f}));
  EXPECT_EQ(mask_of(result.inside), (std::vector<bool>{true, true, false}));
}

TEST(FakeQuantizeAffine, KeepsTheDTypeAndNaNs) {
  const AffineQParams qparams{{2}, Tensor::from<float>({0.5f}, {1}), Tensor(), -8, 7};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const FakeQuantized result = fake_quantize_affine(Tensor::from<float>({nan, 1.1f}, {2}).to(DType::bfloat16), qparams);
  EXPECT_EQ(result.values.dtype(), DType::bfloat16);
  EXPECT_TRUE(std::isnan(values_of(result.values)[0]));
  EXPECT_EQ(values_of(result.values)[1], 1.0f);
  EXPECT_EQ(mask_of(result.inside), (std::vector<bool>{false, true}));
}

// Levels of 32 bits take the exact rounding; of values beyond all bounds it does not matter how they are rounded.
TEST(FakeQuantizeAffine, LargeLevelsAndLargeValues) {
  const AffineQParams wide{{2}, Tensor::from<float>({0.5f}, {1}), Tensor(), -0x1p31, 0x1p31 - 1};
  EXPECT_EQ(values_of(fake_quantize_affine(Tensor::from<float>({3000000.25f, -3000000.75f}, {2}), wide).values),
            (std::vector<float>{3000000.0f, -3000001.0f}));
  const AffineQParams small{{3}, Tensor::from<float>({0.5f}, {1}), Tensor(), -8, 7};
  const float inf = std::numeric_limits<float>::infinity();
  const FakeQuantized result = fake_quantize_affine(Tensor::from<float>({inf, -inf, 1e30f}, {3}), small);
  EXPECT_EQ(values_of(result.values), (std::vector<float>{3.5f, -4.0f, 3.5f}));
  EXPECT_EQ(mask_of(result.inside), (std::vector<bool>{false, false, false}));
}

TEST(FakeQuantizeAffine, GradientsOfClippedValuesAreZero) {
  const AffineQParams qparams{{2}, Tensor::from<float>({0.5f}, {1}), Tensor(), -8, 7};
  const FakeQuantized result = fake_quantize_affine(Tensor::from<float>({1.0f, 100.0f}, {2}), qparams);
  const Tensor gradient = fake_quantize_affine_backward(Tensor::from<float>({3.0f, 5.0f}, {2}), result.inside, qparams);
  EXPECT_EQ(values_of(gradient), (std::vector<float>{3.0f, 0.0f}));
}

TEST(FakeQuantizeAffine, EmptyAndScalarTensors) {
  const AffineQParams none{{0}, Tensor::from<float>(std::vector<float>{}, {0}), Tensor(), -8, 7};
  EXPECT_THROW(fake_quantize_affine(Tensor::empty(DType::float32, {0}), none), InvalidArgumentError);
  const AffineQParams scalar{{}, Tensor::from<float>({0.5f}, {1}), Tensor(), -8, 7};
  EXPECT_EQ(values_of(fake_quantize_affine(Tensor::scalar(1.2f), scalar).values), (std::vector<float>{1.0f}));
}

TEST(FakeQuantizeAffine, RefusesBlocksThatDoNotDivideAndMissingScales) {
  const Tensor input = Tensor::from<float>({1, 2, 3}, {3});
  const AffineQParams uneven{{2}, Tensor::from<float>({0.5f}, {1}), Tensor(), -8, 7};
  EXPECT_THROW(fake_quantize_affine(input, uneven), InvalidArgumentError);
  const AffineQParams few{{1}, Tensor::from<float>({0.5f}, {1}), Tensor(), -8, 7};
  try {
    fake_quantize_affine(input, few);
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_STREQ(error.what(), "[fake_quantize_affine] a scale for each of 3 blocks expected, found 1");
  }
  EXPECT_THROW(fake_quantize_affine(Tensor::from<std::int32_t>({1}, {1}), few), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
