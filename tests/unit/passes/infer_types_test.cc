#include "passes/infer_types.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

std::string inferred(const char* text, int expected) {
  const auto graph = parse_graph(text, "test");
  EXPECT_EQ(infer_types(*graph), expected);
  return to_text(*graph);
}

TEST(InferTypes, FollowsTheShapeRules) {
  EXPECT_EQ(inferred(R"(graph(x: i8[2, 3], w: i16[4, 3]) {
  %to = aten.to.dtype(%x, i16)
  %acc = higher_order.out_dtype(op aten.linear.default, i32, %to, %w, none)
  %scale = aten.mul.Tensor(0.5, 0.25)
  %mul = aten.mul.Tensor(%acc, %scale)
  return (%mul)
})",
                     4),
            R"(graph(x: i8[2, 3], w: i16[4, 3]) {
  %to: i16[2, 3] = aten.to.dtype(%x, i16)
  %acc: i32[2, 4] = higher_order.out_dtype(op aten.linear.default, i32, %to, %w, none)
  %scale: f32[] = aten.mul.Tensor(0.5, 0.25)
  %mul: f32[2, 4] = aten.mul.Tensor(%acc, %scale)
  return (%mul)
}
)");
}

TEST(InferTypes, FindsSymbolicSizesAgain) {
  EXPECT_EQ(inferred(R"(graph(x: f32[s0, s1, 4]) {
  %neg = aten.neg.default(%x)
  %sum = aten.sum.dim_IntList(%neg, [1])
  return (%sum)
})",
                     2),
            R"(graph(x: f32[s0, s1, 4]) {
  %neg: f32[s0, s1, 4] = aten.neg.default(%x)
  %sum: f32[s0, 4] = aten.sum.dim_IntList(%neg, [1])
  return (%sum)
}
)");
}

TEST(InferTypes, LeavesSizesThatAreComputedFromSymbolsUnknown) {
  const char* text = R"(graph(x: f32[s0, 4], y) {
  %view = aten.reshape.default(%x, [-1])
  %neg = aten.neg.default(%view)
  %abs = aten.abs.default(%y)
  return (%neg, %abs)
}
)";
  EXPECT_EQ(inferred(text, 0), text);
}

}  // namespace
}  // namespace qdq
