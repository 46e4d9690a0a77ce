#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "qdq/error.h"
#include "qdq/observer.h"

namespace qdq {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::shared_ptr<Observer> with_bins(std::int64_t bins) { return histogram_observer({.bins = bins})(); }

std::vector<float> counts(const Observer& observer) {
  const ObserverState state = observer.save_state();
  const Tensor& histogram = *state.find("histogram");
  return {histogram.data<float>(), histogram.data<float>() + histogram.numel()};
}

float buffer(const Observer& observer, std::string_view name) {
  return static_cast<float>(observer.save_state().find(name)->item());
}

TEST(Histogram, TheLargestValueBelongsToTheLastBin) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({0, 1, 1.5f, 2, 4}, {5}));
  EXPECT_EQ(counts(*observer), (std::vector<float>{1, 2, 1, 1}));
}

Tensor cycle(std::vector<float> pattern, std::int64_t count) {
  Tensor x = Tensor::empty(DType::float32, {count});
  for (std::int64_t i = 0; i < count; ++i) x.data<float>()[i] = pattern[static_cast<std::size_t>(i) % pattern.size()];
  return x;
}

TEST(Histogram, CountsALongTensorInsideTheKnownRange) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({0, 4}, {2}));
  observer->observe(cycle({0.5f, 1.5f, 2.5f, 3.5f}, 200000));
  EXPECT_EQ(counts(*observer), (std::vector<float>{50001, 50000, 50000, 50001}));
}

TEST(Histogram, WidensTheRangeForTheLastValueOfALongTensor) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({0, 4}, {2}));
  Tensor x = cycle({0.5f, 1.5f, 2.5f, 3.5f}, 200000);
  x.data<float>()[199999] = 8.0f;
  observer->observe(x);
  EXPECT_EQ(buffer(*observer, "max_val"), 8.0f);
  // Bins of width 2 now; the old ones held 1 and 1, at the ends of 0 to 4.
  EXPECT_EQ(counts(*observer), (std::vector<float>{100001, 100000, 0, 1}));
}

TEST(Histogram, PutsAConstantInTheMiddleBin) {
  for (const float constant : {0.0f, 2.5f, -7.0f, 3e7f, 1e30f}) {
    auto observer = with_bins(4);
    observer->observe(Tensor::full(DType::float32, {10}, static_cast<double>(constant)));
    EXPECT_EQ(counts(*observer), (std::vector<float>{0, 0, 10, 0})) << constant;
    EXPECT_EQ(buffer(*observer, "min_val"), constant);
    EXPECT_EQ(buffer(*observer, "max_val"), constant);
  }
}

TEST(Histogram, AddsABatchOfTheSameRange) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({0, 4}, {2}));
  observer->observe(Tensor::from<float>({1, 2, 2}, {3}));
  EXPECT_EQ(counts(*observer), (std::vector<float>{1, 1, 2, 1}));
}

TEST(Histogram, MovesOldCountsIntoTheWiderRange) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({0, 1, 2, 4}, {4}));  // one count in each of [0,1) [1,2) [2,3) [3,4]
  observer->observe(Tensor::from<float>({8}, {1}));           // bins of width 2: the old ones merge in pairs
  EXPECT_EQ(counts(*observer), (std::vector<float>{2, 2, 0, 1}));
  EXPECT_EQ(buffer(*observer, "max_val"), 8);
}

TEST(Histogram, CutsOldBinsAcrossNewOnes) {
  auto observer = with_bins(2);
  observer->observe(Tensor::from<float>({0, 2}, {2}));   // [0,1) [1,2]
  observer->observe(Tensor::from<float>({-1, 2}, {2}));  // [-1,0.5) [0.5,2]: half of the first old bin goes left
  EXPECT_EQ(counts(*observer), (std::vector<float>{1.5f, 2.5f}));
}

TEST(Histogram, AnOldPointMovesAsAWhole) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({1, 1, 1}, {3}));
  observer->observe(Tensor::from<float>({0, 4}, {2}));
  EXPECT_EQ(counts(*observer), (std::vector<float>{1, 3, 0, 1}));
}

TEST(Histogram, IgnoresInfinitiesAndEmptyTensors) {
  auto observer = with_bins(4);
  observer->observe(Tensor::empty(DType::float32, {0}));
  observer->observe(Tensor::from<float>({kInf, -kInf}, {2}));
  EXPECT_EQ(buffer(*observer, "min_val"), kInf) << "nothing was observed";
  EXPECT_EQ(observer->calculate_qparams().zero_point.dtype(), DType::int64);
  observer->observe(Tensor::from<float>({0, kInf, 4, -kInf}, {4}));
  EXPECT_EQ(counts(*observer), (std::vector<float>{1, 0, 0, 1}));
}

TEST(Histogram, RefusesNaNAndKeepsItsState) {
  auto observer = with_bins(4);
  observer->observe(Tensor::from<float>({0, 4}, {2}));
  EXPECT_THROW(observer->observe(Tensor::from<float>({9, std::numeric_limits<float>::quiet_NaN()}, {2})),
               InvalidArgumentError);
  EXPECT_EQ(counts(*observer), (std::vector<float>{1, 0, 0, 1}));
  EXPECT_EQ(buffer(*observer, "max_val"), 4);
}

TEST(Histogram, RefusesARangeWiderThanFloat32) {
  EXPECT_THROW(with_bins(2048)->observe(Tensor::from<float>({-3e38f, 3e38f}, {2})), InvalidArgumentError);
}

TEST(Histogram, GivesUpAnOutlierAmongMany) {
  // Clipping 1.5 to 1 costs 0.25; 400,000 values in steps of 1/255 instead of 1.5/255 save 0.64.
  std::vector<float> values(10000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 9999.0f;
  const Tensor many = Tensor::from<float>(values, {10000});
  for (const int batches : {4, 40}) {
    auto observer = histogram_observer()();
    for (int i = 0; i < batches; ++i) observer->observe(many);
    observer->observe(Tensor::from<float>({1.5f}, {1}));
    const double range = 255 * observer->calculate_qparams().scale.item();
    EXPECT_NEAR(range, batches == 4 ? 1.5 : 1.0, 0.02);
  }
}

TEST(Histogram, SeesDenseTensorsInAnyLayout) {
  std::vector<float> values(2 * 3 * 4 * 5);
  std::iota(values.begin(), values.end(), 0.0f);
  const Tensor contiguous = Tensor::from<float>(values, {2, 3, 4, 5});
  const std::int64_t order[] = {0, 3, 1, 2};
  auto one = with_bins(16), two = with_bins(16);
  one->observe(contiguous);
  two->observe(contiguous.permute(order));
  EXPECT_EQ(counts(*one), counts(*two));
}

// An observer that sees `x` and then each of the clamped tensors, and one that observes them again: they must agree.
void expect_observing_again_is_observing(const Tensor& before, const Tensor& x,
                                         const std::vector<std::pair<float, float>>& bounds, bool known = true) {
  auto looking = with_bins(50), knowing = with_bins(50);
  for (const auto& observer : {looking, knowing}) {
    observer->observe(before);
    observer->observe(x);
  }
  Tensor y = x.clone();
  for (const auto& [low, high] : bounds) {
    for (float& v : std::span(y.data<float>(), static_cast<std::size_t>(y.numel()))) v = std::clamp(v, low, high);
    looking->observe(y);
    const bool done = knowing->observe_again(low, high);
    EXPECT_EQ(done, known) << low << " to " << high;
    if (!done) knowing->observe(y);
  }
  EXPECT_EQ(counts(*looking), counts(*knowing));
  EXPECT_EQ(buffer(*looking, "min_val"), buffer(*knowing, "min_val"));
  EXPECT_EQ(buffer(*looking, "max_val"), buffer(*knowing, "max_val"));
}

Tensor waves(std::int64_t count, float from, float to) {
  Tensor x = Tensor::empty(DType::float32, {count});
  for (std::int64_t i = 0; i < count; ++i)
    x.data<float>()[i] = from + (to - from) * (0.5f + 0.5f * std::sin(static_cast<float>(i)));
  return x;
}

TEST(Histogram, ObservesClampedValuesAgain) {
  const Tensor wide = waves(100, -9.0f, 9.0f);
  for (const Tensor& x :
       {waves(1000, -3.0f, 7.3f), waves(1000, 2.0f, 4.0f), waves(1000, -12.0f, 12.0f), waves(3, 6.0f, 6.0f)}) {
    expect_observing_again_is_observing(wide, x, {{0.0f, 6.0f}});
    expect_observing_again_is_observing(wide, x, {{0.0f, kInf}});
    expect_observing_again_is_observing(wide, x, {{-kInf, kInf}, {-1.0f, 1.0f}, {-kInf, 0.5f}});
    expect_observing_again_is_observing(wide, x, {{2.5f, 2.5f}});
  }
}

TEST(Histogram, ObservesAConstantAgain) {
  const Tensor constant = Tensor::full(DType::float32, {10}, 2.0);
  expect_observing_again_is_observing(constant, constant, {{-kInf, kInf}, {0.0f, 6.0f}});
}

TEST(Histogram, DoesNotKnowClampedValuesThatWidenTheRange) {
  const Tensor x = waves(100, -3.0f, -1.0f);
  expect_observing_again_is_observing(x, x, {{0.0f, 6.0f}}, false);
}

TEST(Histogram, DoesNotKnowTheValuesBesideInfinities) {
  const Tensor x = Tensor::from<float>({1, 2, kInf}, {3});
  expect_observing_again_is_observing(x, x, {{0.0f, 1.5f}}, false);
}

TEST(Histogram, KnowsNothingBeforeTheFirstValueAndAfterLoading) {
  auto observer = with_bins(4);
  EXPECT_FALSE(observer->observe_again(-kInf, kInf));
  observer->observe(Tensor::from<float>({0, 1}, {2}));
  observer->load_state(observer->save_state());
  EXPECT_FALSE(observer->observe_again(-kInf, kInf));
}

TEST(Histogram, RefusesWhatPyTorchRefuses) {
  EXPECT_THROW(histogram_observer({.is_dynamic = true})(), InvalidArgumentError);
  EXPECT_THROW(histogram_observer({.dtype = DType::float8_e5m2})(), InvalidArgumentError);
  EXPECT_THROW(histogram_observer({.qscheme = QScheme::per_channel_affine})(), InvalidArgumentError);
  EXPECT_THROW(histogram_observer({.bins = 0})(), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
