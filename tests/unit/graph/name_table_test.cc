#include "graph/name_table.h"

#include <gtest/gtest.h>

#include "qdq/graph.h"

namespace qdq {
namespace {

// Takes the names that it is given, in order, and returns the last one.
std::string last_of(NameTable& names, std::initializer_list<const char*> wanted) {
  std::string name;
  for (const char* each : wanted) names.abandon(name = names.free_name(each));
  return name;
}

TEST(NameTable, NumbersWhatWasGivenBefore) {
  NameTable names;
  EXPECT_EQ(last_of(names, {"conv2d"}), "conv2d");
  EXPECT_EQ(last_of(names, {"conv2d"}), "conv2d_1");
  EXPECT_EQ(last_of(names, {"conv2d_7"}), "conv2d_7");  // free, and the base goes on from its number
  EXPECT_EQ(last_of(names, {"conv2d"}), "conv2d_8");
  EXPECT_EQ(last_of(names, {"conv2d_1"}), "conv2d_9");
}

TEST(NameTable, MakesIdentifiersThatPythonDoesNotKnow) {
  NameTable names;
  EXPECT_EQ(names.free_name("a::b..c"), "a_b_c");  // one underscore for a run of illegal characters
  EXPECT_EQ(names.free_name("3x"), "_3x");
  EXPECT_EQ(names.free_name(""), "_unnamed");
  EXPECT_EQ(names.free_name("sum"), "sum_1");
  EXPECT_EQ(names.free_name("torch"), "torch_1");
  EXPECT_EQ(names.free_name("gr\xc3\xb6sse"), "gr_sse");  // letters are ASCII's
}

TEST(NameTable, ASuffixOfMoreDigitsThanANumberHasBelongsToTheName) {
  NameTable names;
  EXPECT_EQ(last_of(names, {"x_12345678901234567", "x_12345678901234567"}), "x_12345678901234568");
  EXPECT_EQ(last_of(names, {"y_123456789012345678", "y_123456789012345678"}), "y_123456789012345678_1");
  EXPECT_EQ(last_of(names, {"z_", "z_"}), "z__1");
}

TEST(NameTable, ClaimsTakeAnIdentifierAsItIs) {
  NameTable names;
  EXPECT_EQ(names.name_to_claim("sum"), "sum");  // a file's names are its own
  names.abandon("sum");
  EXPECT_EQ(names.name_to_claim("sum"), "sum_1");
  EXPECT_EQ(names.name_to_claim("a.b"), "a_b");
}

TEST(NameTable, KnowsOwnersUntilTheyAreGone) {
  Graph graph;
  Node& node = graph.placeholder("x");
  NameTable names;
  const std::string text = "relu";
  names.give(text, node);
  EXPECT_EQ(names.find(std::string("re") + "lu"), &node);
  EXPECT_EQ(names.find("relu_1"), nullptr);
  EXPECT_FALSE(names.was_given("relu_1"));
  names.orphan(text);
  EXPECT_EQ(names.find("relu"), nullptr);
  EXPECT_TRUE(names.was_given("relu"));
  names.forget(text);
  EXPECT_FALSE(names.was_given("relu"));
}

TEST(NameTable, FindsAllOfAHundredThousandNames) {
  Graph graph;
  Node& node = graph.placeholder("x");
  NameTable names;
  for (int i = 0; i < 100'000; ++i) names.abandon(names.free_name("quantize_per_tensor"));
  names.give("the_one", node);
  EXPECT_TRUE(names.was_given("quantize_per_tensor"));
  EXPECT_TRUE(names.was_given("quantize_per_tensor_99999"));
  EXPECT_FALSE(names.was_given("quantize_per_tensor_100000"));
  EXPECT_EQ(names.find("the_one"), &node);
}

TEST(NameTable, TurnsTargetsIntoSnakeCase) {
  EXPECT_EQ(snake_case("bertModel.LayerNorm"), "bert_model.layer_norm");
  EXPECT_EQ(snake_case("ABc"), "abc");
}

}  // namespace
}  // namespace qdq
