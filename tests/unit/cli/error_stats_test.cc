#include "cli/error_stats.h"

#include <gtest/gtest.h>

#include <cmath>

#include "qdq/error.h"

namespace qdq::cli {
namespace {

TEST(ErrorStats, GathersOverBatches) {
  ErrorStats stats;
  stats.add(Tensor::from<float>({3.0F, 0.0F}, {2}), Tensor::from<float>({3.0F, 1.0F}, {2}));
  stats.add(Tensor::from<float>({4.0F}, {1}), Tensor::from<float>({4.0F}, {1}));
  EXPECT_EQ(stats.count(), 3);
  EXPECT_EQ(stats.max_abs(), 1.0);
  EXPECT_DOUBLE_EQ(stats.sqnr_db(), 10 * std::log10(25.0));  // 9 + 16 against an error of 1
  EXPECT_DOUBLE_EQ(stats.cosine(), 25.0 / std::sqrt(25.0 * 26.0));
}

TEST(ErrorStats, IsInfinitelyGoodWithoutError) {
  ErrorStats stats;
  stats.add(Tensor::from<float>({0.0F}, {1}), Tensor::from<float>({0.0F}, {1}));
  EXPECT_TRUE(std::isinf(stats.sqnr_db()));
  EXPECT_EQ(stats.cosine(), 1.0);
}

TEST(ErrorStats, RefusesOtherSizes) {
  ErrorStats stats;
  EXPECT_THROW(stats.add(Tensor::empty(DType::float32, {2}), Tensor::empty(DType::float32, {3})), InvalidArgumentError);
}

TEST(ArgmaxAgreement, CountsRows) {
  ArgmaxAgreement agreement;
  agreement.add(Tensor::from<float>({1, 2, 3, 0, 5, 4}, {2, 3}), Tensor::from<float>({0, 1, 9, 7, 2, 3}, {2, 3}));
  EXPECT_EQ(agreement.share(), 0.5);  // 2 and 2, then 1 and 0
}

TEST(ArgmaxAgreement, NeedsAtLeastTwoValuesToChooseFrom) {
  ArgmaxAgreement agreement;
  agreement.add(Tensor::from<float>({1, 2}, {2, 1}), Tensor::from<float>({1, 2}, {2, 1}));
  agreement.add(Tensor::scalar(1.0F), Tensor::scalar(1.0F));
  EXPECT_EQ(agreement.share(), std::nullopt);
}

}  // namespace
}  // namespace qdq::cli
