#include <gtest/gtest.h>

#include <limits>

#include "qdq/error.h"
#include "qdq/observer.h"

namespace qdq {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kEps = 1.1920928955078125e-07f;

QParams observed(const ObserverFactory& factory, std::initializer_list<Tensor> values) {
  auto observer = factory();
  for (const Tensor& value : values) observer->observe(value);
  return observer->calculate_qparams();
}

void expect_qparams(const QParams& found, const Tensor& scale, const Tensor& zero_point) {
  EXPECT_TRUE(bit_equal(found.scale, scale)) << found.scale.item() << " instead of " << scale.item();
  EXPECT_TRUE(bit_equal(found.zero_point, zero_point))
      << found.zero_point.item() << " instead of " << zero_point.item();
}

TEST(MinMax, SpreadsTheRangeOverTheLevels) {
  // (3 - -1) / 255; round(-1 / scale) = -64
  expect_qparams(observed(min_max_observer(), {Tensor::from<float>({-1, 3}, {2})}),
                 Tensor::from<float>({4.0f / 255.0f}, {1}), Tensor::from<std::int32_t>({64}, {1}));
}

TEST(MinMax, RemembersTheWidestRange) {
  const auto batches = {Tensor::from<float>({-1, 0}, {2}), Tensor::from<float>({3}, {1}), Tensor::from<float>({1}, {})};
  expect_qparams(observed(min_max_observer(), batches), Tensor::from<float>({4.0f / 255.0f}, {1}),
                 Tensor::from<std::int32_t>({64}, {1}));
}

TEST(MinMax, AlwaysIncludesZero) {
  expect_qparams(observed(min_max_observer(), {Tensor::from<float>({2, 5}, {2})}),
                 Tensor::from<float>({5.0f / 255.0f}, {1}), Tensor::from<std::int32_t>({0}, {1}));
  expect_qparams(observed(min_max_observer({.dtype = DType::int8}), {Tensor::from<float>({-5, -2}, {2})}),
                 Tensor::from<float>({5.0f / 255.0f}, {1}), Tensor::from<std::int32_t>({127}, {1}));
}

TEST(MinMax, WithoutValuesHasScaleOne) {
  const auto nothing = {Tensor::empty(DType::float32, {0, 3})};
  expect_qparams(observed(min_max_observer(), nothing), Tensor::from<float>({1}, {1}),
                 Tensor::from<std::int64_t>({0}, {1}));
  expect_qparams(observed(per_channel_min_max_observer(), nothing), Tensor::from<float>({1}, {1}),
                 Tensor::from<std::int64_t>({0}, {1}));
}

TEST(MinMax, ScaleOfZerosIsEps) {
  const auto zeros = {Tensor::from<float>({0, 0}, {2})};
  expect_qparams(observed(min_max_observer(), zeros), Tensor::from<float>({kEps}, {1}),
                 Tensor::from<std::int32_t>({0}, {1}));
  expect_qparams(observed(min_max_observer({.eps = 0.25}), zeros), Tensor::from<float>({0.25f}, {1}),
                 Tensor::from<std::int32_t>({0}, {1}));
}

TEST(MinMax, SymmetricTakesTheLargerMagnitude) {
  const auto values = {Tensor::from<float>({-2, 1}, {2})};
  const auto of = [&](DType dtype) {
    return min_max_observer({.dtype = dtype, .qscheme = QScheme::per_tensor_symmetric});
  };
  const Tensor scale = Tensor::from<float>({2.0f / 127.5f}, {1});
  expect_qparams(observed(of(DType::int8), values), scale, Tensor::from<std::int64_t>({0}, {1}));
  expect_qparams(observed(of(DType::uint8), values), scale, Tensor::from<std::int64_t>({128}, {1}));
  expect_qparams(observed(of(DType::uint16), values), Tensor::from<float>({2.0f / 32767.5f}, {1}),
                 Tensor::from<std::int64_t>({32768}, {1}));
}

TEST(MinMax, SymmetricUint8WithItsOwnRangeIsCentredInIt) {
  const ObserverOptions options{
      .dtype = DType::uint8, .qscheme = QScheme::per_tensor_symmetric, .quant_min = 0, .quant_max = 127};
  expect_qparams(observed(min_max_observer(options), {Tensor::from<float>({-2, 1}, {2})}),
                 Tensor::from<float>({2.0f / 63.5f}, {1}), Tensor::from<std::int64_t>({63}, {1}));
}

TEST(MinMax, ANaNStaysAndHasNoQParams) {
  auto observer = min_max_observer()();
  observer->observe(Tensor::from<float>({1, kNaN, 2}, {3}));
  observer->observe(Tensor::from<float>({5}, {1}));
  try {
    observer->calculate_qparams();
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("NaN"), std::string::npos) << error.what();
  }
}

TEST(MinMax, AnInfinityMakesTheScaleInfinite) {
  const QParams found = observed(min_max_observer(), {Tensor::from<float>({0, kInf}, {2})});
  EXPECT_EQ(found.scale.item(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(found.zero_point.item(), 0);
}

TEST(MinMax, LooksThroughStridesAndDTypes) {
  const Tensor values = Tensor::from<float>({1, 2, 3, 4, 100, 200}, {3, 2});
  const std::int64_t swapped[] = {1, 0};
  auto observer = min_max_observer()();
  observer->observe(values.narrow(0, 0, 2).permute(swapped).to(DType::float16));
  observer->observe(Tensor::from<std::int32_t>({-3}, {1}));
  const ObserverState state = observer->save_state();
  EXPECT_EQ(state.find("min_val")->item(), -3);
  EXPECT_EQ(state.find("max_val")->item(), 4);
}

TEST(MinMax, MergedShardsEqualTheWhole) {
  auto one = min_max_observer()(), two = min_max_observer()();
  one->observe(Tensor::from<float>({-1}, {1}));
  two->observe(Tensor::from<float>({3}, {1}));
  one->merge(*two);
  expect_qparams(one->calculate_qparams(), Tensor::from<float>({4.0f / 255.0f}, {1}),
                 Tensor::from<std::int32_t>({64}, {1}));
  EXPECT_THROW(one->merge(*histogram_observer()()), InvalidArgumentError);
}

TEST(MinMax, RefusesWhatPyTorchRefuses) {
  EXPECT_THROW(min_max_observer({.dtype = DType::float32})(), InvalidArgumentError);
  EXPECT_THROW(min_max_observer({.qscheme = QScheme::per_channel_affine})(), InvalidArgumentError);
  EXPECT_THROW(per_channel_min_max_observer({.qscheme = QScheme::per_tensor_affine})(), InvalidArgumentError);
  EXPECT_THROW(min_max_observer({.quant_min = 1, .quant_max = 5})(), InvalidArgumentError);
  EXPECT_THROW(min_max_observer({.quant_min = 0, .quant_max = 0})(), InvalidArgumentError);
  EXPECT_THROW(min_max_observer({.dtype = DType::int8, .quant_min = -128, .quant_max = 128})(), InvalidArgumentError);
  EXPECT_NO_THROW(min_max_observer({.dtype = DType::int8, .quant_min = 0, .quant_max = 255})());
  EXPECT_THROW(min_max_observer({.qscheme = QScheme::per_tensor_symmetric, .reduce_range = true})(),
               InvalidArgumentError);
  EXPECT_THROW(per_channel_min_max_observer({.is_dynamic = true})(), InvalidArgumentError);
  EXPECT_THROW(moving_average_min_max_observer({.is_dynamic = true})(), InvalidArgumentError);
  EXPECT_NO_THROW(moving_average_min_max_observer({.is_dynamic = true, .averaging_constant = 1})());
}

TEST(MinMax, DefaultRanges) {
  const auto range = [](ObserverOptions options) {
    const auto observer = min_max_observer(options)();
    return std::pair(observer->quant_min(), observer->quant_max());
  };
  EXPECT_EQ(range({.dtype = DType::int8}), std::pair(-128L, 127L));
  EXPECT_EQ(range({.dtype = DType::int8, .reduce_range = true}), std::pair(-64L, 63L));
  EXPECT_EQ(range({.dtype = DType::quint8, .reduce_range = true}), std::pair(0L, 127L));
  EXPECT_EQ(range({.dtype = DType::uint16}), std::pair(0L, 65535L));
  EXPECT_EQ(range({.dtype = DType::int32}), std::pair(-2147483648L, 2147483647L));
  EXPECT_EQ(range({.dtype = DType::float8_e5m2}), std::pair(0L, 15L));
  EXPECT_EQ(range({.dtype = DType::int8, .quant_min = -127}), std::pair(-128L, 127L)) << "one bound alone is no range";
  EXPECT_EQ(range({.dtype = DType::int8, .quant_min = -127, .quant_max = 127, .reduce_range = true}),
            std::pair(-64L, 63L));
}

TEST(MovingAverage, StartsAtTheFirstBatchAndFollowsSlowly) {
  auto observer = moving_average_min_max_observer({.averaging_constant = 0.25})();
  observer->observe(Tensor::from<float>({-1, 4}, {2}));
  observer->observe(Tensor::from<float>({-5, 8}, {2}));
  EXPECT_EQ(observer->save_state().find("min_val")->item(), -2);
  EXPECT_EQ(observer->save_state().find("max_val")->item(), 5);
  EXPECT_FALSE(observer->can_merge());
  EXPECT_THROW(observer->merge(*observer), InvalidArgumentError);
}

TEST(PerChannel, KeepsABoundForEveryChannel) {
  const Tensor weight = Tensor::from<float>({-1, 2, /**/ 3, 4, /**/ -5, -6}, {3, 2});
  const QParams found = observed(
      per_channel_min_max_observer({.dtype = DType::int8, .qscheme = QScheme::per_channel_symmetric}), {weight});
  expect_qparams(found, Tensor::from<float>({2.0f / 127.5f, 4.0f / 127.5f, 6.0f / 127.5f}, {3}),
                 Tensor::from<std::int64_t>({0, 0, 0}, {3}));
}

TEST(ObservedBounds, AreThoseOfAllChannels) {
  const auto observer = per_channel_min_max_observer()();
  EXPECT_FALSE(observed_bounds(*observer));
  observer->observe(Tensor::from<float>({-1, 2, /**/ 3, 4, /**/ -5, -6}, {3, 2}));
  EXPECT_EQ(observed_bounds(*observer), std::pair(-6.0, 4.0));
  const auto whole = min_max_observer()();
  EXPECT_FALSE(observed_bounds(*whole)) << "infinities the wrong way round";
  whole->observe(Tensor::from<float>({0.25f, 7}, {2}));
  EXPECT_EQ(observed_bounds(*whole), std::pair(0.25, 7.0));
}

TEST(PerChannel, CountsChannelsAlongItsAxis) {
  const Tensor value = Tensor::from<float>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {2, 3, 2});
  const std::int64_t last_first[] = {2, 0, 1};
  for (const auto& [x, axis] : {std::pair(value, 1L), std::pair(value, -2L), std::pair(value.permute(last_first), 2L),
                                std::pair(value.permute(last_first).narrow(0, 0, 1), 2L)}) {
    auto observer = per_channel_min_max_observer({.ch_axis = axis})();
    observer->observe(x);
    const bool narrowed = x.numel() == 6;
    EXPECT_TRUE(bit_equal(*observer->save_state().find("min_val"), Tensor::from<float>({1, 3, 5}, {3})));
    EXPECT_TRUE(bit_equal(*observer->save_state().find("max_val"),
                          narrowed ? Tensor::from<float>({7, 9, 11}, {3}) : Tensor::from<float>({8, 10, 12}, {3})));
  }
}

TEST(PerChannel, FloatQParamsUseTheRawRange) {
  const ObserverOptions options{.qscheme = QScheme::per_channel_affine_float_qparams};
  const QParams found =
      observed(per_channel_min_max_observer(options), {Tensor::from<float>({1, 2, /**/ 3, 3}, {2, 2})});
  expect_qparams(found, Tensor::from<float>({1.0f / 255.0f, 1.0f}, {2}),
                 Tensor::from<float>({-1.0f / (1.0f / 255.0f), -3.0f}, {2}));
}

TEST(PerChannel, RefusesOtherChannelsAndAxes) {
  auto observer = per_channel_min_max_observer({.ch_axis = 1})();
  observer->observe(Tensor::full(DType::float32, {2, 3}, 1));
  EXPECT_THROW(observer->observe(Tensor::full(DType::float32, {2, 4}, 1)), InvalidArgumentError);
  EXPECT_THROW(observer->observe(Tensor::full(DType::float32, {3}, 1)), InvalidArgumentError);
}

TEST(MinMax, ObservesClampedValuesAgain) {
  const Tensor x = Tensor::from<float>({-3, 5, 9}, {3}), y = Tensor::from<float>({0, 5, 6}, {3});
  for (const char* kind : {"MinMaxObserver", "MovingAverageMinMaxObserver"}) {
    auto looking = observer_by_name(kind)(), knowing = observer_by_name(kind)();
    EXPECT_FALSE(knowing->observe_again(0.0f, 6.0f)) << kind << " has seen nothing";
    for (int batch = 0; batch < 2; ++batch) {
      looking->observe(x);
      looking->observe(y);
      knowing->observe(x);
      EXPECT_TRUE(knowing->observe_again(0.0f, 6.0f));
    }
    for (const char* buffer : {"min_val", "max_val"})
      EXPECT_EQ(looking->save_state().find(buffer)->item(), knowing->save_state().find(buffer)->item()) << kind;
  }
}

TEST(MinMax, DoesNotKnowTheValuesBesideNaNOrOfEachChannel) {
  auto observer = min_max_observer()();
  observer->observe(Tensor::from<float>({1, std::numeric_limits<float>::quiet_NaN()}, {2}));
  EXPECT_FALSE(observer->observe_again(0.0f, 6.0f));
  auto per_channel = per_channel_min_max_observer()();
  per_channel->observe(Tensor::from<float>({1, 2}, {2, 1}));
  EXPECT_FALSE(per_channel->observe_again(0.0f, 6.0f));
}

}  // namespace
}  // namespace qdq
