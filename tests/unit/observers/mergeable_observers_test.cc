#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "qdq/error.h"
#include "qdq/observer.h"

namespace qdq {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Tensor normal_values(std::mt19937& random, Shape sizes, float scale = 1.0f) {
  std::normal_distribution<float> normal;
  Tensor x = Tensor::empty(DType::float32, std::move(sizes));
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = scale * normal(random);
  return x;
}

void expect_same_bytes(const ObserverState& found, const ObserverState& expected) {
  ASSERT_EQ(found.buffers.size(), expected.buffers.size());
  for (std::size_t i = 0; i < expected.buffers.size(); ++i) {
    EXPECT_EQ(found.buffers[i].first, expected.buffers[i].first);
    EXPECT_TRUE(bit_equal(found.buffers[i].second, expected.buffers[i].second)) << expected.buffers[i].first;
  }
}

class MergeableObservers : public testing::TestWithParam<const char*> {
 protected:
  static ObserverFactory factory(const ObserverOptions& options = {}) {
    return observer_by_name(GetParam()).with_args({.dtype = DType::int8}).with_args(options);
  }
};

INSTANTIATE_TEST_SUITE_P(Registry, MergeableObservers,
                         testing::Values("MergeableHistogramObserver", "MSEObserver", "PercentileObserver",
                                         "EntropyObserver"),
                         [](const auto& row) { return std::string(row.param); });

TEST_P(MergeableObservers, AreTheSameForEveryOrderAndEverySplit) {
  std::mt19937 random(1);
  for (const QScheme qscheme : {QScheme::per_tensor_affine, QScheme::per_channel_symmetric}) {
    std::vector<Tensor> batches;
    for (int i = 0; i < 8; ++i)
      batches.push_back(normal_values(random, {30, 5, 20}, std::exp2(static_cast<float>(i % 5))));
    const ObserverOptions options{.qscheme = qscheme, .ch_axis = 1};
    auto whole = factory(options)();
    for (const Tensor& batch : batches) whole->observe(batch);
    std::shuffle(batches.begin(), batches.end(), random);
    std::vector<std::shared_ptr<Observer>> shards;
    for (int i = 0; i < 3; ++i) shards.push_back(factory(options)());
    for (const Tensor& batch : batches) shards[random() % 3]->observe(batch);
    shards[2]->merge(*shards[0]);
    shards[1]->merge(*shards[2]);
    expect_same_bytes(shards[1]->save_state(), whole->save_state());
    EXPECT_TRUE(bit_equal(shards[1]->calculate_qparams().scale, whole->calculate_qparams().scale));
    EXPECT_TRUE(bit_equal(shards[1]->calculate_qparams().zero_point, whole->calculate_qparams().zero_point));
  }
}

TEST_P(MergeableObservers, ContinueFromASavedState) {
  std::mt19937 random(2);
  for (const QScheme qscheme : {QScheme::per_tensor_symmetric, QScheme::per_channel_affine}) {
    auto whole = factory({.qscheme = qscheme})(), resumed = factory({.qscheme = qscheme})();
    resumed->load_state(whole->save_state());  // of nothing
    const Tensor first = normal_values(random, {3, 10000}), second = normal_values(random, {3, 100}, 10.0f);
    whole->observe(first);
    resumed->load_state(whole->save_state());
    whole->observe(second);
    resumed->observe(second);
    expect_same_bytes(resumed->save_state(), whole->save_state());
  }
}

TEST_P(MergeableObservers, SeeingAConstantAgainChangesNoQParams) {
  std::mt19937 random(3);
  for (const std::int64_t size : {100, 100000}) {
    const Tensor weight = normal_values(random, {size});
    auto once = factory()(), often = factory()();
    once->observe(weight);
    for (int i = 0; i < 7; ++i) often->observe(weight);
    EXPECT_TRUE(bit_equal(once->calculate_qparams().scale, often->calculate_qparams().scale));
    EXPECT_TRUE(bit_equal(once->calculate_qparams().zero_point, often->calculate_qparams().zero_point));
  }
}

TEST_P(MergeableObservers, GiveUpAFewFarOutliersAmongMany) {
  std::mt19937 random(4);
  for (const QScheme qscheme : {QScheme::per_tensor_affine, QScheme::per_tensor_symmetric}) {
    auto observer = factory({.qscheme = qscheme})();
    observer->observe(normal_values(random, {1000000}));
    observer->observe(Tensor::from<float>({20, -20}, {2}));
    const double range = 255 * observer->calculate_qparams().scale.item();
    EXPECT_GT(range, 4.0);
    EXPECT_LT(range, 20.0) << "of 40 seen";
  }
}

TEST_P(MergeableObservers, LeaveInfinitiesOutAndRefuseNaN) {
  auto observer = factory()();
  observer->observe(Tensor::from<float>({kInf, -kInf}, {2}));
  EXPECT_EQ(observer->calculate_qparams().scale.item(), 1.0);
  observer->observe(Tensor::from<float>({-kInf, 1, 2, kInf}, {4}));
  const ObserverState before = observer->save_state();
  EXPECT_EQ(before.find("max_val")->item(), 2.0);
  EXPECT_THROW(observer->observe(Tensor::from<float>({3, kNaN}, {2})), InvalidArgumentError);
  expect_same_bytes(observer->save_state(), before);
}

TEST_P(MergeableObservers, ObserveNothingOrZeros) {
  auto observer = factory()();
  observer->observe(Tensor::empty(DType::float32, {0, 3}));
  EXPECT_EQ(observer->calculate_qparams().scale.item(), 1.0);
  observer->observe(Tensor::full(DType::float32, {10}, 0));
  EXPECT_EQ(observer->calculate_qparams().scale.item(), kFloat32Eps);
}

TEST_P(MergeableObservers, SeeChannelsInAnyLayout) {
  std::mt19937 random(5);
  const Tensor x = normal_values(random, {2, 3, 4, 50});
  const std::int64_t back[] = {0, 3, 1, 2}, there[] = {0, 2, 3, 1};
  const Tensor channels_last = x.permute(there).contiguous().permute(back);
  const ObserverOptions options{.qscheme = QScheme::per_channel_affine, .ch_axis = -3};
  auto one = factory(options)(), two = factory(options)();
  one->observe(x);
  two->observe(channels_last);
  expect_same_bytes(two->save_state(), one->save_state());
  EXPECT_EQ(one->calculate_qparams().scale.sizes(), Shape{3});
}

TEST_P(MergeableObservers, RefuseWhatTheyCannotDo) {
  EXPECT_THROW(factory({.is_dynamic = true})(), InvalidArgumentError);
  EXPECT_THROW(factory({.dtype = DType::int32})(), InvalidArgumentError);
  EXPECT_THROW(factory({.dtype = DType::float8_e5m2})(), InvalidArgumentError);
  EXPECT_THROW(factory({.qscheme = QScheme::per_channel_affine_float_qparams})(), InvalidArgumentError);
  EXPECT_THROW(factory({.bins = 1000})(), InvalidArgumentError);
  EXPECT_THROW(factory()()->merge(*factory({.bins = 64})()), InvalidArgumentError);
  EXPECT_THROW(factory()()->merge(*min_max_observer()()), InvalidArgumentError);
  auto observer = factory({.qscheme = QScheme::per_channel_affine})();
  observer->observe(Tensor::full(DType::float32, {2, 3}, 1));
  EXPECT_THROW(observer->observe(Tensor::full(DType::float32, {3, 3}, 1)), InvalidArgumentError);
}

TEST_P(MergeableObservers, RefuseADamagedState) {
  auto observer = factory()();
  observer->observe(Tensor::from<float>({1, 2, 2}, {3}));
  const auto refused = [&](std::string_view name, const Tensor& buffer) {
    ObserverState state = observer->save_state();
    std::erase_if(state.buffers, [&](const auto& entry) { return entry.first == name; });
    EXPECT_THROW(factory()()->load_state(state), InvalidArgumentError) << "without " << name;
    state.buffers.emplace_back(name, buffer);
    EXPECT_THROW(factory()()->load_state(state), InvalidArgumentError) << name;
  };
  refused("kept", Tensor::from<std::int64_t>({3}, {1}));
  refused("kept", Tensor::from<std::int64_t>({-1}, {1}));
  refused("zeros", Tensor::from<std::int64_t>({-1}, {1}));
  refused("zeros", Tensor::from<float>({0}, {1}));
  refused("values", Tensor::from<float>({2, 1}, {2}));
  refused("value_counts", Tensor::from<std::int64_t>({1, -2}, {2}));
  refused("exponent", Tensor::from<std::int64_t>({1}, {1}));
  refused("histogram", Tensor::from<std::int64_t>({1, 1}, {1, 2}));
}

TEST(MSEObserver, TakesWeightsExactlyPerChannel) {
  // 255 levels of 1 reach 127; one value at 254 in the second channel asks for steps of 2, which the odd ones do not bear.
  std::vector<float> rows;
  for (int i = -127; i <= 127; ++i) rows.push_back(static_cast<float>(i));
  rows.push_back(127);
  for (int i = 0; i < 256; ++i) rows.push_back(i == 0 ? 140.0f : static_cast<float>(i % 2 == 0 ? 127 : -127));
  auto observer = mse_observer(
      {.dtype = DType::int8, .qscheme = QScheme::per_channel_symmetric, .quant_min = -127, .quant_max = 127})();
  observer->observe(Tensor::from<float>(rows, {2, 256}));
  const Tensor scale = observer->calculate_qparams().scale;
  EXPECT_EQ(scale.data<float>()[0], 1.0f);
  EXPECT_GT(scale.data<float>()[1], 0.99f);
  EXPECT_LT(scale.data<float>()[1], 140.0f / 127.0f);
}

TEST(PercentileObserver, ChecksItsPercentile) {
  EXPECT_THROW(percentile_observer({.percentile = 0})(), InvalidArgumentError);
  EXPECT_THROW(percentile_observer({.percentile = 100.5})(), InvalidArgumentError);
  EXPECT_THROW(percentile_observer({.percentile = kNaN})(), InvalidArgumentError);
  auto all = percentile_observer({.percentile = 100})();
  all->observe(Tensor::from<float>({-51, 204}, {2}));
  EXPECT_EQ(all->calculate_qparams().scale.item(), 1.0);
  EXPECT_EQ(all->calculate_qparams().zero_point.item(), 51.0);
}

TEST(PercentileObserver, KeepsTheShareThatIsAskedFor) {
  std::vector<float> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(static_cast<float>(i));
  auto observer = percentile_observer({.dtype = DType::uint8, .percentile = 99})();
  observer->observe(Tensor::from<float>(values, {1000}));
  EXPECT_EQ(observer->calculate_qparams().scale.item(), static_cast<double>(995.0f / 255.0f)) << "0.5 % at either end";
}

TEST(MergeableHistogramObserver, ChoosesAlmostTheRangeOfHistogramObserver) {
  std::mt19937 random(6);
  for (const float scale : {0.01f, 1.0f, 37.0f}) {
    auto torch = histogram_observer({.dtype = DType::int8})();
    auto ours = mergeable_histogram_observer({.dtype = DType::int8})();
    for (int batch = 0; batch < 4; ++batch) {
      Tensor x = normal_values(random, {50000}, scale);
      for (std::int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = std::max(x.data<float>()[i], -0.2f * scale);
      torch->observe(x);
      ours->observe(x);
    }
    const double expected = torch->calculate_qparams().scale.item();
    EXPECT_NEAR(ours->calculate_qparams().scale.item(), expected, 0.03 * expected);
  }
}

}  // namespace
}  // namespace qdq
