#include "qdq/quantizers.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

// The observer that a quantizer puts on input 0, what a linear reads, or on 1, its weight.
std::shared_ptr<Observer> observer_of(std::size_t input, std::string_view name, const QuantizerOptions& options) {
  Program program = parse_program(R"(
attribute @w: parameter f32[2, 2] = [0.75, -0.3, 0.001, 0.0005]
graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %linear: f32[1, 2] = aten.linear.default(%x, %w)
  return (%linear)
})");
  const PreparedProgram prepared = prepare(std::move(program), *quantizer_by_name(name, options));
  return prepared.observers().at(prepared.program().graph().find("linear")->input(input)->target());
}
std::shared_ptr<Observer> input_observer(std::string_view name, const QuantizerOptions& options) {
  return observer_of(0, name, options);
}
std::shared_ptr<Observer> weight_observer(std::string_view name, const QuantizerOptions& options) {
  return observer_of(1, name, options);
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

TEST_P(QuantizersWithWeights, TakeActivationsAroundZero) {
  const auto observer = input_observer(GetParam(), {.symmetric_activations = true, .observer = "MinMaxObserver"});
  observer->observe(Tensor::from<float>({-1.0F, 5.1F}, {2}));
  const QParams qparams = observer->calculate_qparams();
  EXPECT_EQ(observer->dtype(), DType::int8);
  EXPECT_EQ(qparams.zero_point.data<std::int64_t>()[0], 0);
  EXPECT_FLOAT_EQ(qparams.scale.data<float>()[0], 5.1F / 127.5F);
}

INSTANTIATE_TEST_SUITE_P(Quantizers, QuantizersWithWeights, testing::Values("xnnpack", "x86", "arm", "xpu"));

TEST(Quantizers, KeepTheirBitsAroundZero) {
  const auto observer = input_observer("x86", {.reduce_range = true, .symmetric_activations = true});
  EXPECT_EQ(observer->quant_min(), -64);
  EXPECT_EQ(observer->quant_max(), 63);
}

TEST(Quantizers, SaySoWhereActivationsHaveNoRangeToPutAroundZero) {
  EXPECT_THROW(quantizer_by_name("weight_only", {.symmetric_activations = true}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("xnnpack", {.is_dynamic = true, .symmetric_activations = true}), InvalidArgumentError);
}

TEST(Quantizers, SaySoWhereBitsOrALeastScaleMeanNothing) {
  EXPECT_THROW(quantizer_by_name("embedding", {.weight_bits = 4}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("embedding", {.least_scale = 0.1}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("weight_only", {.least_scale = 0.1}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
