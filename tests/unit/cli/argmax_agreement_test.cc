#include "cli/argmax_agreement.h"

#include <gtest/gtest.h>

namespace qdq::cli {
namespace {

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
