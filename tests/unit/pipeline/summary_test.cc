#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

constexpr const char* kQuantizedInput = R"(
graph(x: f32[2, 3]) {
  %q: i8[2, 3] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 0, -128, 127, int8)
  %dq: f32[2, 3] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, 0, -128, 127, int8)
)";

QuantizationSummary summary_of(const std::string& rest) {
  return summarize_quantization(parse_program(std::string(kQuantizedInput) + rest + "}"));
}

TEST(Summary, CountsAnOpOnDequantizedValuesAsQuantized) {
  const QuantizationSummary summary = summary_of(R"(
  %relu: f32[2, 3] = aten.relu.default(%dq)
  %tanh: f32[2, 3] = aten.tanh.default(%relu)
  return (%tanh)
)");
  EXPECT_EQ(summary.ops.at("aten.relu.default").quantized, 1);
  EXPECT_EQ(summary.ops.at("aten.tanh.default").in_float, 1);
  EXPECT_EQ(summary.ops.size(), 2U);  // quantize and dequantize are not counted
  EXPECT_EQ(summary.quantized(), 1);
  EXPECT_EQ(summary.in_float(), 1);
}

TEST(Summary, CountsALinearWithAFloatWeightAsFloat) {
  const QuantizationSummary summary = summary_of(R"(
  %weight: f32[4, 3] = get_attr @weight
  %linear: f32[2, 4] = aten.linear.default(%dq, %weight)
  return (%linear)
)");
  EXPECT_EQ(summary.ops.at("aten.linear.default").in_float, 1);
}

TEST(Summary, LetsABiasStayInFloat) {
  const QuantizationSummary summary = summary_of(R"(
  %qw: i8[4, 3] = get_attr @weight
  %dw: f32[4, 3] = quantized_decomposed.dequantize_per_tensor.default(%qw, 0.5, 0, -127, 127, int8)
  %bias: f32[4] = get_attr @bias
  %linear: f32[2, 4] = aten.linear.default(%dq, %dw, %bias)
  return (%linear)
)");
  EXPECT_EQ(summary.ops.at("aten.linear.default").quantized, 1);
}

TEST(Summary, CountsAReluBetweenAQuantizedOpAndAQuantizeWithThatOp) {
  const std::string conv_relu = R"(
  %qw: i8[4, 3] = get_attr @weight
  %dw: f32[4, 3] = quantized_decomposed.dequantize_per_tensor.default(%qw, 0.5, 0, -127, 127, int8)
  %linear: f32[2, 4] = aten.linear.default(%dq, %dw)
  %relu: f32[2, 4] = aten.relu.default(%linear)
)";
  const QuantizationSummary fused = summary_of(conv_relu + R"(
  %q2: i8[2, 4] = quantized_decomposed.quantize_per_tensor.default(%relu, 0.5, 0, -128, 127, int8)
  return (%q2)
)");
  EXPECT_EQ(fused.ops.at("aten.relu.default").quantized, 1);
  const QuantizationSummary apart = summary_of(conv_relu + "  return (%relu)\n");
  EXPECT_EQ(apart.ops.at("aten.relu.default").in_float, 1);
}

}  // namespace
}  // namespace qdq
