#include "graph/matcher.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

// The reason why `pattern` does not match the node `anchor` of `graph`, "" when it does.
std::string reason(const std::string& pattern, const std::string& graph, const std::string& anchor = "y",
                   MatchOptions options = {}) {
  const auto parsed = parse_graph(graph);
  return Pattern(pattern, options).match(*parsed->find(anchor)).reason.reason();
}

constexpr const char* kConvRelu = R"(graph(x, w, b) {
  %conv = aten.conv2d.default(%x, %w, %b, ...)
  %y = "aten.relu.default|aten.relu_.default"(%conv)
  return (%y)
})";

TEST(Matcher, BindsInputsAndNodes) {
  const auto graph = parse_graph(R"(graph(input) {
    %weight = get_attr @weight
    %c = aten.conv2d.default(%input, %weight, none, [2, 2], groups=1)
    %r = aten.relu_.default(%c)
    return (%r)
  })");
  const MatchResult found = Pattern(kConvRelu).match(*graph->find("r"));
  ASSERT_TRUE(found) << found.reason.reason();
  EXPECT_EQ(found->anchor, graph->find("r"));
  EXPECT_EQ(&found->node("conv"), graph->find("c"));
  EXPECT_EQ(&found->node("y"), graph->find("r"));
  EXPECT_EQ(&found->node("x"), graph->find("input"));
  EXPECT_TRUE(found->input("b").is_none());
  EXPECT_THROW(found->node("b"), InternalError);
  EXPECT_THROW(found->input("z"), InternalError);
}

TEST(Matcher, SaysWhyThereIsNoMatch) {
  EXPECT_EQ(reason(kConvRelu, "graph(x) { %y = aten.neg.default(%x) return (%y) }"),
            "'y' (aten.neg.default): expected aten.relu.default|aten.relu_.default");
  EXPECT_EQ(reason(kConvRelu, "graph(x) { %y = aten.relu.default(%x) return (%y) }"),
            "'x' (placeholder): expected aten.conv2d.default");
  EXPECT_EQ(reason(kConvRelu, "graph(x) { %y = aten.relu.default(3) return (%y) }"),
            "'y' (aten.relu.default): expected the result of aten.conv2d.default, found 3");
  EXPECT_EQ(
      reason(kConvRelu, "graph(x, w) { %c = aten.conv2d.default(%x, %w) %y = aten.relu.default(%c) return (%y) }"),
      "'c' (aten.conv2d.default): expected 3 arguments, found 2");
  EXPECT_EQ(reason(kConvRelu,
                   "graph(x, w) { %c = aten.conv2d.default(%x, %w, none) %y = aten.relu.default(%c) return (%y, %c) }"),
            "'c' (aten.conv2d.default): is also used by 'output', outside of the pattern");
}

TEST(Matcher, LiteralsMatchExactlyAndUnderscoreAnything) {
  const std::string pattern = "graph(x) { %y = aten.op.default(%x, 0.5, [1, _], _, flag=true) return (%y) }";
  const auto with = [&](const std::string& rest) {
    return reason(pattern, "graph(x) { %y = aten.op.default(%x, " + rest + ") return (%y) }");
  };
  EXPECT_EQ(with("0.5, [1, 7], \"a\", flag=true"), "");
  EXPECT_EQ(with("0.5, [1, 7], flag=true"), "");
  EXPECT_EQ(with("0.25, [1, 7], flag=true"), "'y' (aten.op.default): expected 0.5, found 0.25");
  EXPECT_EQ(with("0.5, [2, 7], flag=true"), "'y' (aten.op.default): expected 1, found 2");
  EXPECT_EQ(with("0.5, [1], flag=true"), "'y' (aten.op.default): expected [1, _], found [1]");
  EXPECT_EQ(with("0.5, [1, 7]"), "'y' (aten.op.default): expected an argument flag");
  EXPECT_EQ(with("0.5, [1, 7], flag=true, more=1"),
            "'y' (aten.op.default): has an argument more, which the pattern does not");
  EXPECT_EQ(with("0.5, [1, 7], 1, 2, flag=true"), "'y' (aten.op.default): expected 4 arguments, found 5");
}

TEST(Matcher, OneInputStandsForOneValue) {
  const std::string pattern = "graph(x) { %y = aten.sub.Tensor(%x, %x) return (%y) }";
  EXPECT_EQ(reason(pattern, "graph(a) { %y = aten.sub.Tensor(%a, %a) return (%y) }"), "");
  EXPECT_EQ(reason(pattern, "graph(a, b) { %y = aten.sub.Tensor(%a, %b) return (%y) }"),
            "'y' (aten.sub.Tensor): expected %a again for x, found %b");
  // and one operator for one node
  const std::string shared = "graph(x) { %r = aten.relu.default(%x) %y = aten.sub.Tensor(%r, %r) return (%y) }";
  EXPECT_EQ(reason(shared, "graph(a) { %r = aten.relu.default(%a) %y = aten.sub.Tensor(%r, %r) return (%y) }"), "");
  EXPECT_EQ(reason(shared,
                   "graph(a) { %r = aten.relu.default(%a) %s = aten.relu.default(%a) %y = aten.sub.Tensor(%r, %s) "
                   "return (%y) }"),
            "'s' (aten.relu.default): the pattern wants 'r' here again");
}

TEST(Matcher, SwapsTheOperandsOfSums) {
  const std::string pattern = "graph(x, z) { %c = aten.relu.default(%x) %y = aten.add.Tensor(%c, %z) return (%y) }";
  const std::string swapped = "graph(a, b) { %c = aten.relu.default(%a) %y = aten.add.Tensor(%b, %c) return (%y) }";
  EXPECT_EQ(reason(pattern, swapped), "");
  EXPECT_EQ(reason(pattern, swapped, "y", {.commutative = false}), "'b' (placeholder): expected aten.relu.default");
  // Not with alpha: x + 2*y is another value than y + 2*x.
  EXPECT_EQ(
      reason(pattern, "graph(a, b) { %c = aten.relu.default(%a) %y = aten.add.Tensor(%b, %c, alpha=2) return (%y) }"),
      "'b' (placeholder): expected aten.relu.default");
}

TEST(Matcher, MatchesAnyGetAttrWhenAsked) {
  const std::string graph = "graph(x) { %w = get_attr @w %y = aten.mul.Tensor(%x, %w) return (%y, %w) }";
  EXPECT_EQ(reason("graph(x) { %w = get_attr @_ %y = aten.mul.Tensor(%x, %w) return (%y) }", graph), "");
  EXPECT_EQ(reason("graph(x) { %w = get_attr @v %y = aten.mul.Tensor(%x, %w) return (%y) }", graph, "y",
                   {.commutative = false}),
            "'w' (w): expected v");
}

TEST(Matcher, FindsMatchesThatDoNotOverlap) {
  const auto graph = parse_graph(R"(graph(x) {
    %a = aten.relu.default(%x)
    %b = aten.relu.default(%a)
    %c = aten.relu.default(%b)
    %d = aten.relu.default(%c)
    %e = aten.relu.default(%d)
    return (%e)
  })");
  const auto matches =
      Pattern("graph(x) { %r = aten.relu.default(%x) %s = aten.relu.default(%r) return (%s) }").find_all(*graph);
  ASSERT_EQ(matches.size(), 2u);
  EXPECT_EQ(matches[0].anchor->name(), "b");
  EXPECT_EQ(matches[1].anchor->name(), "d");
}

TEST(Matcher, KnowsGraphsThatHaveNoMatch) {
  const auto graph = parse_graph("graph(x) { %a = aten.relu.default(%x) %w = get_attr @v return (%a, %w) }");
  const auto may_match = [&](const char* text) { return Pattern(text).may_match_in(*graph); };
  EXPECT_TRUE(may_match("graph(x) { %r = aten.relu.default(%x) return (%r) }"));
  EXPECT_TRUE(may_match(R"(graph(x) { %r = "aten.neg.default|aten.relu.default"(%x) return (%r) })"));
  EXPECT_FALSE(may_match("graph(x) { %a = aten.relu.default(%x) %r = aten.neg.default(%a) return (%r) }"));
  EXPECT_TRUE(may_match("graph() { %w = get_attr @_ return (%w) }"));
}

TEST(Matcher, RefusesPatternsWithoutOneResult) {
  EXPECT_THROW(Pattern("graph(x) { return (%x) }"), InvalidArgumentError);
  EXPECT_THROW(Pattern("graph(x) { %a = f(%x) return (%a, %a) }"), InvalidArgumentError);
  EXPECT_THROW(Pattern("graph(x) { %a = f(%x) }"), InvalidArgumentError);
  EXPECT_THROW(Pattern("graph(x {"), FormatError);
}

}  // namespace
}  // namespace qdq
