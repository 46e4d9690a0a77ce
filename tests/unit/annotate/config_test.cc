#include <gtest/gtest.h>

#include "qdq/xnnpack_quantizer.h"

namespace qdq {
namespace {

TEST(Config, RefusesPerChannelActivations) {
  QuantizationConfig config = symmetric_config();
  config.input_activation->qscheme = QScheme::per_channel_affine;
  EXPECT_THROW(input_act_qspec(config), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
