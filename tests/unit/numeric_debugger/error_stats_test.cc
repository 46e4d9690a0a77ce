#include <gtest/gtest.h>

#include <cmath>

#include "qdq/error.h"
#include "qdq/numeric_debugger.h"

namespace qdq {
namespace {

TEST(ErrorStats, GathersOverBatches) {
  ErrorStats stats;
  stats.add(Tensor::from<float>({3.0F, 0.0F}, {2}), Tensor::from<float>({3.0F, 1.0F}, {2}));
  stats.add(Tensor::from<float>({4.0F}, {1}), Tensor::from<float>({4.0F}, {1}));
  EXPECT_EQ(stats.count(), 3);
  EXPECT_EQ(stats.max_abs(), 1.0);
  EXPECT_DOUBLE_EQ(stats.mse(), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(stats.sqnr_db(), 10 * std::log10(25.0));  // 9 + 16 against an error of 1
  EXPECT_DOUBLE_EQ(stats.cosine(), 25.0 / std::sqrt(25.0 * 26.0));
}

TEST(ErrorStats, IsInfinitelyGoodWithoutError) {
  ErrorStats stats;
  stats.add(Tensor::from<float>({0.0F}, {1}), Tensor::from<float>({0.0F}, {1}));
  EXPECT_TRUE(std::isinf(stats.sqnr_db()));
  EXPECT_EQ(stats.cosine(), 1.0);
  EXPECT_EQ(ErrorStats().mse(), 0.0);
}

TEST(ErrorStats, RefusesOtherSizes) {
  ErrorStats stats;
  EXPECT_THROW(stats.add(Tensor::empty(DType::float32, {2}), Tensor::empty(DType::float32, {3})), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
