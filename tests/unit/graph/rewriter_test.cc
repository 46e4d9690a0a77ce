#include "graph/rewriter.h"

#include <gtest/gtest.h>

#include "graph/verify.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

const char* const kClampPattern =
    "graph(x, lo, hi) { %a = aten.clamp_min.default(%x, %lo) %y = aten.clamp_max.default(%a, %hi) return (%y) }";
const char* const kClamp = "graph(x, lo, hi) { %clamp = aten.clamp.default(%x, %lo, %hi) return (%clamp) }";

TEST(Rewriter, ReplacesAMatchAndErasesWhatIsDead) {
  const auto graph = parse_graph(R"(graph(x: f32[4]) {
  %a = aten.clamp_min.default(%x, 0.0)
  %b: f32[4] = aten.clamp_max.default(%a, 6.0)
    @stack_trace "here"
  %c = aten.relu.default(%b)
  return (%c, [%b])
})");
  EXPECT_EQ(replace_all(*graph, "fuse_clamp", Pattern(kClampPattern), Replacement(kClamp)), 1);
  verify(*graph, "fuse_clamp");
  EXPECT_EQ(to_text(*graph, TextOptions::full()), R"(graph(x: f32[4]) {
  %clamp: f32[4] = aten.clamp.default(%x, 0.0, 6.0)
    @stack_trace "here"
  %c = aten.relu.default(%clamp)
  return (%c, [%clamp])
}
)");
}

TEST(Rewriter, NotesWhyAMatchStays) {
  const auto graph = parse_graph(R"(graph(x) {
  %a = aten.clamp_min.default(%x, 0.0)
  %b = aten.clamp_max.default(%a, 6.0)
  %c = aten.clamp_max.default(%b, 1.0)
  return (%c)
})");
  const Guard guard = [](const Match& match, Replacement::Values&) {
    return match.input("hi").to_double() > 5 ? NoMatch("the upper bound is above 5") : NoMatch();
  };
  EXPECT_EQ(replace_all(*graph, "fuse_clamp", Pattern(kClampPattern), Replacement(kClamp), guard), 0);
  ASSERT_EQ(graph->notes().size(), 2u);
  EXPECT_EQ(graph->notes()[0].node, "b");
  EXPECT_EQ(graph->notes()[0].pass, "fuse_clamp");
  EXPECT_EQ(graph->notes()[0].reason, "the upper bound is above 5");
  EXPECT_EQ(graph->notes()[1].node, "c");
  EXPECT_EQ(graph->notes()[1].reason, "'b' (aten.clamp_max.default): expected aten.clamp_min.default");
}

TEST(Rewriter, TakesValuesThatTheGuardComputes) {
  const auto graph =
      parse_graph("graph(x) { %m = aten.mul.Tensor(%x, 2.0) %y = aten.mul.Tensor(%m, 3.0) return (%y) }");
  const Pattern pattern("graph(x, a, b) { %m = aten.mul.Tensor(%x, %a) %y = aten.mul.Tensor(%m, %b) return (%y) }",
                        {.commutative = false});
  const Replacement replacement("graph(x, product) { %y = aten.mul.Tensor(%x, %product) return (%y) }");
  const Guard guard = [](const Match& match, Replacement::Values& values) {
    values["product"] = match.input("a").to_double() * match.input("b").to_double();
    return NoMatch();
  };
  EXPECT_EQ(replace_all(*graph, "fold_scales", pattern, replacement, guard), 1);
  EXPECT_EQ(to_text(*graph), "graph(x) {\n  %y_1 = aten.mul.Tensor(%x, 6.0)\n  return (%y_1)\n}\n");
}

TEST(Rewriter, MayKeepTheAnchorAndWrapIt) {
  const auto graph = parse_graph("graph(x) { %a = aten.relu.default(%x) %b = aten.relu.default(%a) return (%b, %a) }");
  const Pattern pattern("graph(x) { %r = aten.relu.default(%x) return (%r) }");
  const Replacement replacement("graph(r) { %obs = call_module @obs(%r) return (%obs) }");
  EXPECT_EQ(replace_all(*graph, "wrap", pattern, replacement), 2);
  verify(*graph, "wrap");
  EXPECT_EQ(to_text(*graph), R"(graph(x) {
  %a = aten.relu.default(%x)
  %obs = call_module @obs(%a)
  %b = aten.relu.default(%obs)
  %obs_1 = call_module @obs(%b)
  return (%obs_1, %obs)
}
)");
}

TEST(Rewriter, MayReturnAnInput) {
  const auto graph = parse_graph(
      "graph(x) { %a = aten.neg.default(%x) %b = aten.neg.default(%a) %c = aten.relu.default(%b) return (%c) }");
  const Pattern pattern("graph(x) { %a = aten.neg.default(%x) %b = aten.neg.default(%a) return (%b) }");
  EXPECT_EQ(replace_all(*graph, "cancel", pattern, Replacement("graph(x) { return (%x) }")), 1);
  EXPECT_EQ(to_text(*graph), "graph(x) {\n  %c = aten.relu.default(%x)\n  return (%c)\n}\n");
}

TEST(Rewriter, DoesNotReplaceItsOwnReplacement) {
  const auto graph = parse_graph("graph(x) { %a = aten.relu.default(%x) return (%a) }");
  const Pattern pattern("graph(x) { %r = aten.relu.default(%x) return (%r) }");
  EXPECT_EQ(replace_all(*graph, "grow", pattern,
                        Replacement("graph(x) { %p = aten.relu.default(%x) %q = aten.relu.default(%p) return (%q) }")),
            1);
  EXPECT_EQ(graph->size(), 4u);
}

TEST(Rewriter, RefusesAnInputWithoutValue) {
  const auto graph = parse_graph("graph(x) { %a = aten.relu.default(%x) return (%a) }");
  const Pattern pattern("graph(x) { %r = aten.relu.default(%x) return (%r) }");
  const Replacement replacement("graph(z) { %r = aten.relu.default(%z) return (%r) }");
  EXPECT_THROW(replace_all(*graph, "p", pattern, replacement), InternalError);
}

}  // namespace
}  // namespace qdq
