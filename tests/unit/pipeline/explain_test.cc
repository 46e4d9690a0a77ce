#include "qdq/explain.h"

#include <gtest/gtest.h>

#include "qdq/annotation.h"
#include "qdq/graph_text.h"
#include "qdq/quantizers.h"

namespace qdq {
namespace {

// x in [-1, 1] -> linear -> relu -> tanh; the table of an embedding and a mask stand beside.
Program network() {
  return parse_program(R"(
attribute @w: parameter f32[2, 2] = [1.27, 0.5, -0.25, -1.0]
graph(x: f32[1, 2], n: i64[1]) {
  %w: f32[2, 2] = get_attr @w
  %linear: f32[1, 2] = aten.linear.default(%x, %w)
  %relu: f32[1, 2] = aten.relu.default(%linear)
  %tanh: f32[1, 2] = aten.tanh.default(%relu)
  %next: i64[1] = aten.add.Tensor(%n, %n)
  return (%tanh, %next)
})");
}

std::string number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

std::string text(const QuantizedTensor& tensor) {
  std::string line = tensor.name + " " + std::string(name(tensor.dtype)) + " " + tensor.scheme;
  if (tensor.is_dynamic) line += " dynamic";
  if (tensor.ch_axis) line += " axis " + std::to_string(*tensor.ch_axis);
  for (std::size_t i = 0; i < tensor.scale.size(); ++i)
    line += " " + number(tensor.scale[i]) + "*(q-" + number(tensor.zero_point[i]) + ")";
  if (const auto range = tensor.range()) line += " [" + number(range->first) + ", " + number(range->second) + "]";
  if (tensor.observed) line += " saw [" + number(tensor.observed->first) + ", " + number(tensor.observed->second) + "]";
  return line + " " + tensor.observer + "\n";
}

std::string text(const std::vector<ExplainedOp>& ops) {
  std::string lines;
  for (const ExplainedOp& op : ops) {
    lines += op.node->name() + (op.quantized ? " quantized" : " float") + (op.rule.empty() ? "" : " by " + op.rule) +
             (op.why_not.empty() ? "" : ": " + op.why_not) + "\n";
    for (const QuantizedTensor& tensor : op.inputs) lines += "  in " + text(tensor);
    for (const QuantizedTensor& tensor : op.outputs) lines += "  out " + text(tensor);
  }
  return lines;
}

PreparedProgram prepared(const QuantizerOptions& options) {
  return prepare(network(), *quantizer_by_name("xnnpack", options));
}

TEST(Explain, SaysBeforeCalibrationWhatIsGoingToBeQuantized) {
  EXPECT_EQ(text(explain(prepared({.per_channel = true}))),
            "linear quantized by xnnpack.linear_relu\n"
            "  in x int8 per_tensor_affine HistogramObserver\n"
            "  in w int8 per_channel_symmetric axis 0 PerChannelMinMaxObserver\n"
            "relu quantized by xnnpack.linear_relu\n"
            "  out relu int8 per_tensor_affine HistogramObserver\n"
            "tanh quantized: the quantizer has no rule for aten.tanh.default here\n"
            "  in relu int8 per_tensor_affine HistogramObserver\n"
            "next float: no floating-point values go in and out\n");
}

// Input [-1, 1] in 255 steps; weights 1.27 and -1 over 127; outputs 1.77 at most: relu's range is [0, 1.77].
TEST(Explain, ReadsTheSameFromObserversAndFromTheConvertedProgram) {
  PreparedProgram program = prepared({.per_channel = true, .observer = "MinMaxObserver"});
  program.calibrate({Tensor::from<float>({-1, 1}, {1, 2}), Tensor::from<std::int64_t>({1}, {1})});
  program.calibrate({Tensor::from<float>({1, 1}, {1, 2}), Tensor::from<std::int64_t>({1}, {1})});
  const std::string input =
      "  in x int8 per_tensor_affine 0.007843*(q--1) [-0.996078, 1.003922] saw [-1, 1] MinMaxObserver\n";
  const std::string weight =
      "  in w int8 per_channel_symmetric axis 0 0.01*(q-0) 0.007874*(q-0) [-1.27, 1.27] saw [-1, 1.27] "
      "PerChannelMinMaxObserver\n";
  const std::string relu = "relu int8 per_tensor_affine 0.006941*(q--128) [0, 1.77] saw [0, 1.77] MinMaxObserver\n";
  const std::string expected = "linear quantized by xnnpack.linear_relu\n" + input + weight +
                               "relu quantized by xnnpack.linear_relu\n  out " + relu +
                               "tanh quantized: the quantizer has no rule for aten.tanh.default here\n  in " + relu +
                               "next float: no floating-point values go in and out\n";
  EXPECT_EQ(text(explain(program)), expected);
  const Program converted = convert(std::move(program));
  EXPECT_EQ(text(explain(converted)), expected);
}

TEST(Explain, TellsDynamicQuantizationAndExcludedOps) {
  const std::string converted = text(explain(convert(prepared({.is_dynamic = true, .exclude = {"relu"}}))));
  EXPECT_EQ(converted,
            "linear quantized by xnnpack.linear\n"
            "  in x int8 per_tensor_affine dynamic PlaceholderObserver\n"
            "  in w int8 per_tensor_symmetric 0.01*(q-0) [-1.27, 1.27] saw [-1, 1.27] MinMaxObserver\n"
            "relu float: excluded on request\n"
            "tanh float: the quantizer has no rule for aten.tanh.default here\n"
            "next float: no floating-point values go in and out\n");
}

TEST(Explain, SaysWhichInputKeepsAnAnnotatedOpInFloat) {
  const Program converted = convert(prepare(network(), *quantizer_by_name("weight_only")));
  const std::vector<ExplainedOp> ops = explain(converted);
  EXPECT_FALSE(ops[0].quantized);
  EXPECT_EQ(ops[0].rule, "weight_only.weight");
  EXPECT_EQ(ops[0].why_not, "its input 'x' is in float");
  ASSERT_EQ(ops[0].inputs.size(), 1U);
  EXPECT_EQ(ops[0].inputs[0].name, "w");
}

// Files of torchao have no such metadata.
TEST(Explain, ReadsWhatItCanFromAProgramWithoutMetadata) {
  const Program program = parse_program(R"(graph(x: f32[2], s: f64[1], z: i64[1]) {
  %q: i8[2] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 3, -128, 127, int8)
  %dq: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, 3, -128, 127, int8)
  %relu: f32[2] = aten.relu.default(%dq)
  %exp: f32[2] = aten.exp.default(%x)
  return (%relu, %exp)
})");
  EXPECT_EQ(text(explain(program)),
            "relu quantized\n"
            "  in x int8  0.5*(q-3) [-65.5, 62] \n"
            "exp float: its input 'x' is in float\n");
}

TEST(Explain, ToleratesQuantizeNodesWithStrangeArguments) {
  const Program program = parse_program(R"(graph(x: f32[2]) {
  %dq: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%x)
  %dq_1: f32[2] = quantized_decomposed.dequantize_per_channel.default(%x, "s", none, %x, none, "q", 3)
  %add: f32[2] = aten.add.Tensor(%dq, %dq_1)
  return (%add)
})");
  const std::vector<ExplainedOp> ops = explain(program);
  ASSERT_EQ(ops.size(), 1U);
  ASSERT_EQ(ops[0].inputs.size(), 2U);
  EXPECT_FALSE(ops[0].inputs[1].range());
}

}  // namespace
}  // namespace qdq
