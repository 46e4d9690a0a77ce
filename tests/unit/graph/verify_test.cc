#include "graph/verify.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "support/random_graph.h"

namespace qdq {
namespace {

std::string complaint(const Program& program) {
  try {
    verify(program, "some_pass");
  } catch (const InternalError& e) {
    const std::string message = e.what();
    return message.substr(0, message.find(" (this is a bug"));
  }
  return "";
}

std::string complaint(const std::string& text) { return complaint(parse_program(text)); }

TEST(Verify, AcceptsWhatIsRight) {
  EXPECT_EQ(complaint("attribute @w: parameter f32[2]\n"
                      "graph(x: f32[2]) { %w: f32[2] = get_attr @w %y = aten.add.Tensor(%x, %w) return (%y) }"),
            "");
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    EXPECT_EQ(complaint(test::random_program(random, 20)), "") << "seed " << seed;
  }
}

TEST(Verify, WantsDefinitionsBeforeUses) {
  Program program = parse_program("graph(x) { %a = aten.relu.default(%x) %b = aten.neg.default(%a) return (%b) }");
  Graph& graph = program.graph();
  graph.move_before(*graph.find("b"), *graph.find("a"));
  EXPECT_EQ(complaint(program), "[verify after some_pass] 'b' (aten.neg.default): reads 'a', which comes after it");
}

TEST(Verify, WantsOneOutputAtTheEnd) {
  EXPECT_EQ(complaint("graph(x) {}"), "[verify after some_pass] the graph has no output node at its end");
  Program program = parse_program("graph(x) { return (%x) }");
  program.graph().call_function("aten.relu.default", {*program.graph().find("x")});
  EXPECT_EQ(complaint(program), "[verify after some_pass] 'output' (output): is not the last node");
  EXPECT_EQ(complaint("graph(x) { %output = output \"output\"(%x) }"),
            "[verify after some_pass] 'output' (output): expected one argument, the list of results");
}

TEST(Verify, WantsAnAttributeOfTheRightTypeBehindEachGetAttr) {
  EXPECT_EQ(complaint("graph() { %w = get_attr @w return (%w) }"),
            "[verify after some_pass] 'w' (w): the program has no attribute of this name");
  EXPECT_EQ(complaint("attribute @w: buffer i8[2]\ngraph() { %w: f32[2] = get_attr @w return (%w) }"),
            "[verify after some_pass] 'w' (w): its type says float32, the tensor is int8");
  EXPECT_EQ(complaint("attribute @w: buffer i8[2]\ngraph() { %w: i8[3] = get_attr @w return (%w) }"),
            "[verify after some_pass] 'w' (w): dimension 0 of its type is 3, the tensor is [2]");
}

TEST(Verify, WantsSpecsThatAgreeWithTheGraph) {
  EXPECT_EQ(complaint("inputs none\ngraph(x) { return (%x) }"),
            "[verify after some_pass] 'x' (placeholder): no input names it");
  EXPECT_EQ(complaint("input user_input \"y\"\ngraph(x) { return (%x) }"),
            "[verify after some_pass] the input 'y' has no placeholder");
  EXPECT_EQ(complaint("outputs none\ngraph(x) { return (%x) }"),
            "[verify after some_pass] 'output' (output): 1 results, but 0 output specs");
  EXPECT_EQ(complaint("output buffer_mutation \"b\"\ngraph(x) { return (%x) }"),
            "[verify after some_pass] 'output' (output): a result goes back to 'b', an attribute that the program does "
            "not have");
}

TEST(Verify, LooksIntoSubgraphs) {
  Program program = parse_program(
      "graph(x) { %a = higher_order.f(%x, subgraph \"body\" graph(y) { %b = aten.relu.default(%y) return (%b) }) "
      "return (%a) }");
  Graph& body = *program.graph().find("a")->arg(1).get_if<Argument::Subgraph>()->graph;
  body.move_before(*body.find("b"), *body.find("y"));
  EXPECT_EQ(complaint(program),
            "[verify after some_pass, subgraph 'body'] 'b' (aten.relu.default): reads 'y', which comes after it");
}

}  // namespace
}  // namespace qdq
