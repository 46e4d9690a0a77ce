#include "qdq/observer.h"

#include <gtest/gtest.h>

#include "qdq/error.h"

namespace qdq {
namespace {

// With the arguments that some kinds cannot do without.
ObserverFactory usable(std::string_view name) {
  const ObserverOptions options{
      .scale = 0.5, .zero_point = 3, .mapping_type = MappingType::asymmetric, .granularity = PerAxis{0}};
  const ObserverFactory factory = observer_by_name(name).with_args(options);
  return factory.defaults().dtype || !name.starts_with("Affine") ? factory : factory.with_args({.dtype = DType::uint8});
}

// What every observer promises.
class EveryObserver : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Registry, EveryObserver,
                         testing::Values("MinMaxObserver", "MovingAverageMinMaxObserver", "PerChannelMinMaxObserver",
                                         "MovingAveragePerChannelMinMaxObserver", "HistogramObserver",
                                         "FixedQParamsObserver", "PlaceholderObserver", "AffineQuantizedMinMaxObserver",
                                         "AffineQuantizedMovingAverageMinMaxObserver",
                                         "AffineQuantizedPlaceholderObserver", "RecordingObserver", "NoopObserver",
                                         "ReuseInputObserver", "MergeableHistogramObserver", "MSEObserver",
                                         "PercentileObserver", "EntropyObserver"),
                         [](const auto& row) { return std::string(row.param); });

TEST_P(EveryObserver, IsCalledByItsPyTorchName) { EXPECT_EQ(usable(GetParam())()->kind(), GetParam()); }

TEST_P(EveryObserver, ContinuesFromASavedState) {
  const Tensor first = Tensor::from<float>({-1, 2, 0.5f, 7}, {2, 2}),
               second = Tensor::from<float>({-9, 2, 3, 8}, {2, 2});
  auto whole = usable(GetParam())(), resumed = usable(GetParam())();
  whole->observe(first);
  resumed->load_state(whole->save_state());
  whole->observe(second);
  resumed->observe(second);
  const ObserverState expected = whole->save_state(), found = resumed->save_state();
  ASSERT_EQ(found.buffers.size(), expected.buffers.size());
  for (std::size_t i = 0; i < expected.buffers.size(); ++i) {
    EXPECT_EQ(found.buffers[i].first, expected.buffers[i].first);
    EXPECT_TRUE(bit_equal(found.buffers[i].second, expected.buffers[i].second)) << expected.buffers[i].first;
  }
}

TEST_P(EveryObserver, MergesExactlyWhenItSaysSo) {
  const Tensor first = Tensor::from<float>({-1, 2, 0.5f, 7}, {2, 2}),
               second = Tensor::from<float>({-9, 2, 3, 8}, {2, 2});
  auto whole = usable(GetParam())(), one = usable(GetParam())(), two = usable(GetParam())();
  if (!whole->can_merge()) {
    EXPECT_THROW(one->merge(*two), InvalidArgumentError);
    return;
  }
  whole->observe(first);
  whole->observe(second);
  one->observe(first);
  two->observe(second);
  one->merge(*two);
  const ObserverState expected = whole->save_state(), found = one->save_state();
  for (const auto& [name, buffer] : expected.buffers) EXPECT_TRUE(bit_equal(*found.find(name), buffer)) << name;
}

TEST(ObserverFactory, LaterArgumentsWin) {
  const auto factory =
      min_max_observer({.dtype = DType::int8, .quant_min = -127, .quant_max = 127}).with_args({.quant_max = 100});
  EXPECT_EQ(factory()->quant_max(), 100);
  EXPECT_EQ(factory({.quant_max = 50})->quant_max(), 50);
  EXPECT_EQ(factory()->quant_min(), -127);
}

TEST(ObserverFactory, UnknownNamesListTheKnownOnes) {
  try {
    observer_by_name("MinMax");
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("MinMaxObserver"), std::string::npos) << error.what();
  }
}

TEST(ObserverByName, KnowsPyTorchsDefaults) {
  const auto weight = observer_by_name("per_channel_weight_observer_range_neg_127_to_127")();
  EXPECT_EQ(weight->kind(), "PerChannelMinMaxObserver");
  EXPECT_EQ(weight->dtype(), DType::qint8);
  EXPECT_EQ(weight->qscheme(), QScheme::per_channel_symmetric);
  EXPECT_EQ(weight->quant_min(), -127);
  EXPECT_EQ(weight->eps(), 0x1p-12);
  EXPECT_EQ(observer_by_name("default_observer")({.quant_max = 100})->quant_max(), 100) << "arguments win";
  const auto four_bits = observer_by_name("default_float_qparams_observer_4bit")();
  EXPECT_EQ(four_bits->quant_min(), 0);
  EXPECT_EQ(four_bits->quant_max(), 15);
}

TEST(ObserverByName, BuildsAllThatItLists) {
  for (const std::string_view name : observer_names()) EXPECT_NE(usable(name)(), nullptr) << name;
}

TEST(Recording, KeepsCopiesOfEveryValue) {
  const auto observer = recording_observer()();
  const Tensor x = Tensor::from<float>({1, 2}, {2});
  observer->observe(x);
  x.data<float>()[0] = 9;
  observer->observe(Tensor::from<std::int32_t>({3}, {1}));
  ASSERT_EQ(get_tensor_value(*observer).size(), 2u);
  EXPECT_TRUE(bit_equal(get_tensor_value(*observer)[0], Tensor::from<float>({1, 2}, {2})));
  EXPECT_TRUE(bit_equal(get_tensor_value(*observer)[1], Tensor::from<std::int32_t>({3}, {1})));
  EXPECT_THROW(observer->calculate_qparams(), InvalidArgumentError);
  EXPECT_THROW(get_tensor_value(*min_max_observer()()), InvalidArgumentError);
}

TEST(Recording, RefusesAStateWithGaps) {
  EXPECT_THROW(recording_observer()()->load_state({{{"tensor_val.1", Tensor::scalar(1.0f)}}}), InvalidArgumentError);
}

TEST(Notes, HaveADTypeAndNoQParams) {
  EXPECT_EQ(noop_observer()()->dtype(), DType::float16);
  EXPECT_EQ(noop_observer({.dtype = DType::bfloat16})()->dtype(), DType::bfloat16);
  EXPECT_THROW(noop_observer()()->calculate_qparams(), InvalidArgumentError);
  EXPECT_THROW(reuse_input_observer()()->calculate_qparams(), InvalidArgumentError);
}

TEST(FixedQParams, ReturnsWhatItWasGiven) {
  const QParams found = fixed_qparams_observer({.scale = 1.0 / 256, .zero_point = 5})()->calculate_qparams();
  EXPECT_TRUE(bit_equal(found.scale, Tensor::from<float>({0.00390625f}, {1})));
  EXPECT_TRUE(bit_equal(found.zero_point, Tensor::from<std::int32_t>({5}, {1})));
  EXPECT_THROW(fixed_qparams_observer()(), InvalidArgumentError);
  EXPECT_THROW(fixed_qparams_observer({.is_dynamic = true, .scale = 1.0, .zero_point = 0})(), InvalidArgumentError);
}

TEST(Placeholder, HasADTypeAndNoQParams) {
  const auto plain = placeholder_observer()();
  EXPECT_EQ(plain->dtype(), DType::float32);
  EXPECT_THROW(plain->calculate_qparams(), InvalidArgumentError);
  const auto dynamic = placeholder_observer({.dtype = DType::int8, .is_dynamic = true})();
  EXPECT_TRUE(dynamic->is_dynamic());
  EXPECT_EQ(dynamic->quant_min(), -128);
  EXPECT_EQ(dynamic->quant_max(), 127);
}

TEST(ObserverFactory, MayBuildWithAnyFunction) {
  int built = 0;
  const ObserverFactory counting("Counting", [&](const ObserverOptions& options) {
    ++built;
    return min_max_observer()(options);
  });
  const auto observer = counting.with_args({.quant_max = 100})({.quant_min = 0});
  EXPECT_EQ(built, 1);
  EXPECT_EQ(observer->quant_max(), 100);
  EXPECT_EQ(observer->options().quant_max, 100);
}

}  // namespace
}  // namespace qdq
