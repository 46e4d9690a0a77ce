#include "qdq/numeric_debugger.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/verify.h"
#include "numeric_debugger/cut_program.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

constexpr const char* kFloat = R"(graph(x: f32[4]) {
  %neg: f32[4] = aten.neg.default(%x)
  %mul: f32[4] = aten.mul.Tensor(%neg, 3.0)
  %abs: f32[4] = aten.abs.default(%mul)
  return (%abs)
})";

// Steps of 1 in front of neg, where they cost nothing for whole numbers; steps of 4 in front of mul, the bad node.
constexpr const char* kQuantized = R"(graph(x: f32[4]) {
  %q: i8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 1.0, 0, -128, 127, int8)
  %dq: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 1.0, 0, -128, 127, int8)
  %neg: f32[4] = aten.neg.default(%dq)
  %q_1: i8[4] = quantized_decomposed.quantize_per_tensor.default(%neg, 4.0, 0, -128, 127, int8)
  %dq_1: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q_1, 4.0, 0, -128, 127, int8)
  %mul: f32[4] = aten.mul.Tensor(%dq_1, 3.0)
  %abs: f32[4] = aten.abs.default(%mul)
  return (%abs)
})";

const std::vector<Tensor> kInputs = {Tensor::from<float>({1, 4, 7, -9}, {4})};

class NumericDebuggerTest : public testing::TestWithParam<ExecutorOptions::Kind> {};

TEST_P(NumericDebuggerTest, TellsTheOpThatAddsAnErrorFromThoseThatInheritIt) {
  const Program in_float = parse_program(kFloat), quantized = parse_program(kQuantized);
  NumericDebugger debugger(in_float, quantized, {.executor = {.kind = GetParam(), .threads = 1}});
  const NumericDebugger::Results results = debugger.add(kInputs);
  EXPECT_EQ(results.reference[0].data<float>()[0], 3.0F);
  EXPECT_EQ(results.other[0].data<float>()[0], 0.0F);

  const std::vector<NodeAccuracy>& nodes = debugger.nodes();
  ASSERT_EQ(nodes.size(), 3U);
  EXPECT_EQ(nodes[0].nodes.op, "aten.neg.default");
  EXPECT_TRUE(std::isinf(nodes[0].total.sqnr_db()));
  // mul reads 0, -4, -8, 8 instead of -1, -4, -7, 9 and returns 0, -12, -24, 24 instead of -3, -12, -21, 27.
  EXPECT_EQ(nodes[1].total.max_abs(), 3.0);
  EXPECT_EQ(nodes[1].own->max_abs(), 3.0);
  EXPECT_DOUBLE_EQ(nodes[1].own->mse(), (9.0 + 0.0 + 9.0 + 9.0) / 4.0);
  EXPECT_DOUBLE_EQ(nodes[1].own->sqnr_db(), 10 * std::log10((9.0 + 144.0 + 441.0 + 729.0) / 27.0));
  // abs inherits all of it.
  EXPECT_EQ(nodes[2].total.max_abs(), 3.0);
  EXPECT_EQ(nodes[2].own->max_abs(), 0.0);
  EXPECT_TRUE(std::isinf(nodes[2].own->sqnr_db()));
}

TEST_P(NumericDebuggerTest, GathersOverBatches) {
  const Program in_float = parse_program(kFloat), quantized = parse_program(kQuantized);
  NumericDebugger debugger(in_float, quantized, {.executor = {.kind = GetParam(), .threads = 1}});
  debugger.add(kInputs);
  debugger.add({Tensor::from<float>({2, 2, 2, 2}, {4})});  // -2 / 4 rounds to 0: an error of 6 each
  EXPECT_EQ(debugger.nodes()[1].own->count(), 8);
  EXPECT_DOUBLE_EQ(debugger.nodes()[1].own->mse(), (27.0 + 4 * 36.0) / 8.0);
}

INSTANTIATE_TEST_SUITE_P(Executors, NumericDebuggerTest,
                         testing::Values(ExecutorOptions::Kind::fast, ExecutorOptions::Kind::reference));

TEST(NumericDebugger, LeavesOwnErrorsOutOnRequest) {
  const Program in_float = parse_program(kFloat), quantized = parse_program(kQuantized);
  NumericDebugger debugger(in_float, quantized, {.executor = {}, .own_errors = false});
  debugger.add(kInputs);
  for (const NodeAccuracy& node : debugger.nodes()) EXPECT_FALSE(node.own.has_value());
}

TEST(CutProgram, LetsEveryOpReadAnInputInsteadOfTheOpBefore) {
  const Program cut = cut_program(parse_program(kQuantized), {"neg", "mul", "abs"});
  verify(cut, "cut_program");
  EXPECT_EQ(to_text(cut), R"(graph(x: f32[4], neg_reference: f32[4], mul_reference: f32[4], abs_reference: f32[4]) {
  %q: i8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 1.0, 0, -128, 127, i8)
  %dq: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 1.0, 0, -128, 127, i8)
  %neg: f32[4] = aten.neg.default(%dq)
  %q_1: i8[4] = quantized_decomposed.quantize_per_tensor.default(%neg_reference, 4.0, 0, -128, 127, i8)
  %dq_1: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q_1, 4.0, 0, -128, 127, i8)
  %mul: f32[4] = aten.mul.Tensor(%dq_1, 3.0)
  %abs: f32[4] = aten.abs.default(%mul_reference)
  return (%neg, %mul, %abs)
}
)");
}

TEST(CutProgram, LeavesOutWhatNoneOfTheOpsNeeds) {
  const Program cut = cut_program(parse_program(kQuantized), {"mul"});
  EXPECT_EQ(cut.graph().find("abs"), nullptr);
  EXPECT_NE(cut.graph().find("neg"), nullptr);  // mul reads it
}

TEST(CutProgram, AnUnknownNodeIsOurMistake) {
  EXPECT_THROW(cut_program(parse_program(kFloat), {"relu"}), InternalError);
}

}  // namespace
}  // namespace qdq
