#include "runtime/kernels/kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace qdq::runtime {
namespace {

// Runs on every instruction set that this machine has.
class KernelSets : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    int count = 0;
    const Kernels* const* sets = all_kernels(&count);
    if (GetParam() >= count) GTEST_SKIP() << "this machine lacks the instruction set";
    k = sets[GetParam()];
  }
  const Kernels* k = nullptr;
};

std::vector<float> ramp(float low, float high, int n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i)
    values[static_cast<std::size_t>(i)] = low + (high - low) * static_cast<float>(i) / static_cast<float>(n - 1);
  return values;
}

// Distance in units in the last place of the wanted value.
double ulps(float got, double wanted) {
  const float w = static_cast<float>(wanted);
  if (got == w) return 0.0;
  const double unit =
      std::max<double>(std::abs(std::nextafter(w, std::numeric_limits<float>::infinity()) - w), 1.4e-45);
  return std::abs(static_cast<double>(got) - wanted) / unit;
}

// `kernel` maps n values.
double worst_ulps(const std::function<void(float*, const float*, std::int64_t)>& kernel, const std::vector<float>& x,
                  double (*exact)(double)) {
  std::vector<float> y(x.size());
  kernel(y.data(), x.data(), static_cast<std::int64_t>(x.size()));
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, ulps(y[i], exact(static_cast<double>(x[i]))));
  return worst;
}

auto unary(const Kernels& k, UnaryOp op) {
  return [&k, op](float* out, const float* a, std::int64_t n) { k.unary(op, out, a, n); };
}

TEST_P(KernelSets, ExpIsWithinTwoUlpsDownToDenormals) {
  EXPECT_LT(worst_ulps(unary(*k, UnaryOp::exp), ramp(-103, 88.7f, 100003), [](double x) { return std::exp(x); }), 2.0);
}

TEST_P(KernelSets, ErfIsWithinTwoUlps) {
  EXPECT_LT(worst_ulps(unary(*k, UnaryOp::erf), ramp(-6, 6, 100003), [](double x) { return std::erf(x); }), 2.0);
}

TEST_P(KernelSets, TanhIsWithinTwoUlps) {
  EXPECT_LT(
      worst_ulps([&](float* out, const float* a, std::int64_t n) { k->activate({Activation::Kind::tanh}, out, a, n); },
                 ramp(-12, 12, 100003), [](double x) { return std::tanh(x); }),
      2.0);
}

TEST_P(KernelSets, SpecialValuesGoThrough) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float x[] = {inf, -inf, nan, 200.0f, -200.0f};
  float y[5];
  k->unary(UnaryOp::exp, y, x, 5);
  EXPECT_EQ(y[0], inf);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], inf);
  EXPECT_EQ(y[4], 0.0f);
  k->unary(UnaryOp::erf, y, x, 5);
  EXPECT_EQ(y[0], 1.0f);
  EXPECT_EQ(y[1], -1.0f);
  EXPECT_TRUE(std::isnan(y[2]));
  k->activate({Activation::Kind::relu}, y, x, 5);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_TRUE(std::isnan(y[2]));
  k->activate({Activation::Kind::clamp, 0.0f, 6.0f}, y, x, 5);
  EXPECT_EQ(y[0], 6.0f);
  EXPECT_TRUE(std::isnan(y[2]));
}

TEST_P(KernelSets, QuantizeRoundsTiesToEvenAndClamps) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const float x[] = {0.25f, 0.75f, 1.25f, -0.25f, -0.75f, 1e30f, -1e30f, inf, -inf, nan, 63.0f, -64.0f};
  std::int8_t q[12];
  k->quantize_i8(q, x, 12, 2.0f, 3, -128, 127);
  const int wanted[] = {3, 5, 5, 3, 1, 127, -128, 127, -128, 0, 127, -125};
  for (int i = 0; i < 12; ++i) EXPECT_EQ(q[i], wanted[i]) << x[i];
  std::uint8_t u[12];
  k->quantize_u8(u, x, 12, 2.0f, 10, 0, 200);
  const int wanted_u[] = {10, 12, 12, 10, 8, 200, 0, 200, 0, 0, 136, 0};
  for (int i = 0; i < 12; ++i) EXPECT_EQ(u[i], wanted_u[i]) << x[i];
}

TEST_P(KernelSets, DepthwiseAddsTheBiasFirstThenTheTapsInOrder) {
  // (2^24 + 1) - 2^24 is 0 in float32, the 1 is lost; with the bias last, 1 - 2^24 + 2^24 would be 1.
  constexpr int kChannels = 19;  // a whole vector and a rest
  std::vector<float> bias(kChannels, 16777216.0f), one(kChannels, 1.0f), minus(kChannels, -16777216.0f), out(kChannels);
  const float* src[] = {one.data(), minus.data()};
  const float* weight[] = {one.data(), one.data()};
  k->depthwise(out.data(), bias.data(), src, weight, 2, kChannels);
  for (const float value : out) EXPECT_EQ(value, 0.0f);
  k->depthwise(out.data(), nullptr, src, weight, 1, kChannels);
  for (const float value : out) EXPECT_EQ(value, 1.0f);
}

TEST_P(KernelSets, DequantizeSubtractsThenScales) {
  const std::int8_t q[] = {-128, 0, 3, 127};
  float x[4];
  k->dequantize_i8(x, q, 4, 0.5f, 3);
  EXPECT_EQ(x[0], -65.5f);
  EXPECT_EQ(x[1], -1.5f);
  EXPECT_EQ(x[2], 0.0f);
  EXPECT_EQ(x[3], 62.0f);
}

TEST_P(KernelSets, SoftmaxOfOddLengthsSumsToOneAndIgnoresMaskedElements) {
  for (int n : {1, 7, 16, 33, 130}) {
    std::vector<float> x = ramp(-3, 3, n + 1);
    x[0] = -std::numeric_limits<float>::infinity();
    std::vector<float> y(x.size());
    k->softmax(y.data(), x.data(), n + 1);
    EXPECT_EQ(y[0], 0.0f);
    double total = 0;
    double wanted_total = 0;
    for (float v : y) total += static_cast<double>(v);
    for (float v : x) wanted_total += std::exp(static_cast<double>(v));
    EXPECT_NEAR(total, 1.0, 1e-6);
    EXPECT_NEAR(y.back(), std::exp(static_cast<double>(x.back())) / wanted_total, 1e-6);
  }
}

TEST_P(KernelSets, LayerNormOfARampHasMeanZeroAndVarianceOne) {
  const std::vector<float> x = ramp(10, 20, 101);
  std::vector<float> y(x.size());
  k->layer_norm(y.data(), x.data(), nullptr, nullptr, 101, 0.0f);
  EXPECT_NEAR(y[50], 0.0f, 1e-6);
  EXPECT_NEAR(y[100], 5.0 / std::sqrt(100.0 / 12.0 * 102.0 / 100.0), 1e-5);  // variance of a ramp of n points
}

TEST_P(KernelSets, BinaryBroadcastsEitherSide) {
  const std::vector<float> a = ramp(0, 36, 37);
  std::vector<float> y(37);
  const float two = 2.0f;
  k->binary(BinaryOp::sub, y.data(), a.data(), 1, &two, 0, 37, 3.0f);
  EXPECT_EQ(y[36], 30.0f);
  k->binary(BinaryOp::div, y.data(), &two, 0, a.data(), 1, 37, 1.0f);
  EXPECT_EQ(y[4], 0.5f);
  k->binary(BinaryOp::maximum, y.data(), a.data(), 1, a.data(), 1, 37, 1.0f);
  EXPECT_EQ(y[20], 20.0f);
}

INSTANTIATE_TEST_SUITE_P(All, KernelSets, ::testing::Values(0, 1, 2));

TEST(Kernels, SumsHaveTheSameBitsOnEveryInstructionSet) {
  int count = 0;
  const Kernels* const* sets = all_kernels(&count);
  const std::vector<float> x = ramp(-1.3f, 2.7f, 1003);
  for (int i = 1; i < count; ++i)
    EXPECT_EQ(std::bit_cast<int>(sets[0]->sum(x.data(), 1003)), std::bit_cast<int>(sets[i]->sum(x.data(), 1003)));
}

}  // namespace
}  // namespace qdq::runtime
