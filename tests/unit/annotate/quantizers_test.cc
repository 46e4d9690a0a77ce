#include "qdq/quantizers.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

// The observer that a quantizer puts on the weight of a linear.
std::shared_ptr<Observer> weight_observer(std::string_view name, const QuantizerOptions& options) {
  Program program = parse_program(R"(
attribute @w: parameter f32[2, 2] = [0.75, -0.3, 0.001, 0.0005]
graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %linear: f32[1, 2] = aten.linear.default(%x, %w)
  return (%linear)
})");
  const PreparedProgram prepared = prepare(std::move(program), *quantizer_by_name(name, options));
  return prepared.observers().at(prepared.program().graph().find("linear")->input(1)->target());
}

class QuantizersWithWeights : public testing::TestWithParam<const char*> {};

TEST_P(QuantizersWithWeights, TakeWeightsOfFewerBits) {
  const auto four = weight_observer(GetParam(), {.weight_bits = 4});
  EXPECT_EQ(four->dtype(), DType::int8);
  EXPECT_EQ(four->quant_min(), -8);
  EXPECT_EQ(four->quant_max(), 7);
  EXPECT_LE(weight_observer(GetParam(), {})->quant_min(), -127);
  EXPECT_THROW(weight_observer(GetParam(), {.weight_bits = 9}), InvalidArgumentError);
  EXPECT_THROW(weight_observer(GetParam(), {.weight_bits = 1}), InvalidArgumentError);
}

TEST_P(QuantizersWithWeights, TakeALeastScale) {
  const auto observer = weight_observer(GetParam(), {.per_channel = true, .least_scale = 0.25});
  observer->observe(Tensor::from<float>({0.75F, -0.3F, 0.001F, 0.0005F}, {2, 2}));
  const QParams qparams = observer->calculate_qparams();
  EXPECT_EQ(qparams.scale.data<float>()[1], 0.25F);
  EXPECT_THROW(weight_observer(GetParam(), {.least_scale = 0}), InvalidArgumentError);
}

INSTANTIATE_TEST_SUITE_P(Quantizers, QuantizersWithWeights, testing::Values("xnnpack", "x86", "arm", "xpu"));

TEST(Quantizers, SaySoWhereBitsOrALeastScaleMeanNothing) {
  EXPECT_THROW(quantizer_by_name("embedding", {.weight_bits = 4}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("embedding", {.least_scale = 0.1}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("weight_only", {.least_scale = 0.1}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
