#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/numeric_debugger.h"

namespace qdq {
namespace {

std::vector<std::string> described(const Program& a, const Program& b) {
  std::vector<std::string> lines;
  for (const NodePair& pair : matching_nodes(a, b))
    lines.push_back(pair.reference + " = " + pair.other + " " + pair.op);
  return lines;
}

TEST(MatchingNodes, PairsEqualNamesAndOps) {
  const Program a = parse_program(R"(
graph(x: f32[2]) {
  %relu: f32[2] = aten.relu.default(%x)
  %act: f32[2] = aten.sigmoid.default(%relu)
  return (%act)
})");
  const Program b = parse_program(R"(
graph(x: f32[2]) {
  %quantize: i8[2] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 0, -128, 127, int8)
  %dequantize: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%quantize, 0.5, 0, -128, 127, int8)
  %relu: f32[2] = aten.relu.default(%dequantize)
  %act: f32[2] = aten.tanh.default(%relu)
  return (%act)
})");
  EXPECT_EQ(described(a, b), std::vector<std::string>{"relu = relu aten.relu.default"});
}

TEST(MatchingNodes, LeavesAssertionsOutForTheyHaveNoValue) {
  const Program a = parse_program(R"(
graph(x: f32[2]) {
  %checked = aten._assert_tensor_metadata.default(%x, none, none, float32)
  %relu: f32[2] = aten.relu.default(%x)
  return (%relu)
})");
  EXPECT_EQ(described(a, a), std::vector<std::string>{"relu = relu aten.relu.default"});
}

TEST(MatchingNodes, PairsAFoldedBatchNormWithItsConvolution) {
  const Program a = parse_program(R"(
graph(x: f32[1, 1, 2, 2], w: f32[1, 1, 1, 1], m: f32[1]) {
  %conv2d: f32[1, 1, 2, 2] = aten.conv2d.default(%x, %w)
  %batch_norm: f32[1, 1, 2, 2] = aten.batch_norm.default(%conv2d, none, none, %m, %m, false, 0.1, 1e-05, true)
  return (%batch_norm)
})");
  const Program b = parse_program(R"(
graph(x: f32[1, 1, 2, 2], w: f32[1, 1, 1, 1], m: f32[1]) {
  %conv2d: f32[1, 1, 2, 2] = aten.conv2d.default(%x, %w)
  return (%conv2d)
})");
  EXPECT_EQ(described(a, b), std::vector<std::string>{"batch_norm = conv2d aten.batch_norm.default"});
  EXPECT_EQ(described(a, a), (std::vector<std::string>{"conv2d = conv2d aten.conv2d.default",
                                                       "batch_norm = batch_norm aten.batch_norm.default"}));
}

TEST(MatchingNodes, LeavesIntegersOut) {
  const Program a = parse_program(R"(
graph(x: i64[2]) {
  %add: i64[2] = aten.add.Tensor(%x, 1)
  return (%add)
})");
  EXPECT_TRUE(matching_nodes(a, a).empty());
}

TEST(MatchingNodes, PairsByHandleWhereBothProgramsHaveThem) {
  Program a = parse_program(R"(graph(x: f32[2]) {
  %first: f32[2] = aten.relu.default(%x)
  %second: f32[2] = aten.neg.default(%first)
  return (%second)
})");
  Program b = parse_program(R"(graph(x: f32[2]) {
  %second: f32[2] = aten.relu.default(%x)
  %first: f32[2] = aten.neg.default(%second)
  return (%first)
})");
  generate_numeric_debug_handle(a);
  EXPECT_TRUE(described(a, b).empty());  // by name the ops differ
  generate_numeric_debug_handle(b);
  EXPECT_EQ(described(a, b),
            (std::vector<std::string>{"first = second aten.relu.default", "second = first aten.neg.default"}));
}

TEST(MatchingNodes, ValuesOfOtherSizesArePairedWithNothing) {
  const Program a = parse_program(R"(graph(x: f32[2]) {
  %relu: f32[2] = aten.relu.default(%x)
  return (%relu)
})");
  const Program b = parse_program(R"(graph(x: f32[3]) {
  %relu: f32[3] = aten.relu.default(%x)
  return (%relu)
})");
  EXPECT_TRUE(described(a, b).empty());
}

}  // namespace
}  // namespace qdq
