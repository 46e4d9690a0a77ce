#include "qdq/annotation_report.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/quantize.h"
#include "qdq/quantizers.h"

namespace qdq {
namespace {

// 2 channels of 3x3 from 1 channel: 2 * 16 results of 9 products each. The transposed one: 2 * 16 elements, 4 weights each.
Program two_convolutions() {
  return parse_program(R"(
attribute @w: parameter f32[2, 1, 3, 3]
attribute @v: parameter f32[2, 1, 2, 2]
graph(x: f32[1, 1, 6, 6], n: i64[1]) {
  %w: f32[2, 1, 3, 3] = get_attr @w
  %v: f32[2, 1, 2, 2] = get_attr @v
  %conv: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %w)
  %up: f32[1, 1, 5, 5] = aten.conv_transpose2d.input(%conv, %v)
  %sigmoid: f32[1, 1, 5, 5] = aten.sigmoid.default(%up)
  %next: i64[1] = aten.add.Tensor(%n, %n)
  return (%sigmoid, %next)
})");
}

std::string text(const AnnotationReport& report) {
  std::string lines;
  for (const AnnotatedOp& op : report.ops)
    lines += op.node->name() + " " + std::to_string(op.macs) + " " + (op.annotated ? op.rule : "float: " + op.why_not) +
             "\n";
  return lines;
}

TEST(AnnotationReport, SaysForEachOpWhoAnnotatedItOrWhyNot) {
  Program program = two_convolutions();
  quantizer_by_name("xnnpack", {.exclude = {"sigm*"}})->annotate(program);
  const AnnotationReport report = explain_annotations(program);
  EXPECT_EQ(text(report),
            "conv 288 conv\n"
            "up 128 float: the quantizer has no rule for aten.conv_transpose2d.input here\n"
            "sigmoid 0 float: excluded on request\n"
            "next 0 float: no floating-point values go in and out\n");
  EXPECT_EQ(report.annotated_ops, 1);
  EXPECT_EQ(report.macs, 416);
  EXPECT_EQ(report.annotated_macs, 288);
  EXPECT_TRUE(annotation_warnings(report).empty());
}

TEST(AnnotationReport, WarnsWhenLittleIsAnnotated) {
  Program program = two_convolutions();
  quantizer_by_name("xnnpack", {.exclude = {"conv"}})->annotate(program);
  EXPECT_EQ(annotation_warnings(explain_annotations(program)),
            std::vector<std::string>{
                "the quantizer annotated none of the 4 ops: 1 x aten.conv2d.default (excluded on request), 1 x "
                "aten.conv_transpose2d.input (the quantizer has no rule for aten.conv_transpose2d.input here)"});
}

TEST(AnnotationReport, PrepareHandsOnTheWarnings) {
  auto quantizer = quantizer_by_name("xnnpack", {.exclude = {"conv"}});
  EXPECT_EQ(prepare(two_convolutions(), *quantizer).warnings().size(), 1u);
  EXPECT_TRUE(prepare(two_convolutions(), *quantizer_by_name("xnnpack")).warnings().empty());
}

std::int64_t macs_of(const std::string& text) {
  const Program program = parse_program(text);
  std::int64_t total = 0;
  for (const Node& node : program.graph().nodes()) total += multiply_accumulates(node);
  return total;
}

TEST(MultiplyAccumulates, CountsEachProductOnce) {
  EXPECT_EQ(macs_of(R"(graph(a: f32[2, 3, 4], b: f32[2, 4, 5]) {
    %m: f32[2, 3, 5] = aten.bmm.default(%a, %b)
    return (%m)
  })"),
            2 * 3 * 4 * 5);
  EXPECT_EQ(macs_of(R"(graph(x: f32[2, 3, 4], w: f32[5, 4]) {
    %l: f32[2, 3, 5] = aten.linear.default(%x, %w)
    return (%l)
  })"),
            2 * 3 * 4 * 5);
  // 6 queries and 7 keys of 8 numbers, values of 9: scores 6*7*8, sums 6*7*9, in each of 2 heads.
  EXPECT_EQ(macs_of(R"(graph(q: f32[2, 6, 8], k: f32[2, 7, 8], v: f32[2, 7, 9]) {
    %a: f32[2, 6, 9] = aten.scaled_dot_product_attention.default(%q, %k, %v)
    return (%a)
  })"),
            2 * (6 * 7 * 8 + 6 * 7 * 9));
}

}  // namespace
}  // namespace qdq
