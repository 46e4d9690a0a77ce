#include "qdq/graph.h"

#include <gtest/gtest.h>

#include "qdq/program.h"

namespace qdq {
namespace {

std::string names(const std::vector<Node*>& nodes) {
  std::string text;
  for (const Node* node : nodes) text += (text.empty() ? "" : " ") + node->name();
  return text;
}

TEST(Graph, NamesFollowTheTargetAndAreUnique) {
  Graph g;
  Node& x = g.placeholder("x");
  EXPECT_EQ(g.call_function("aten.conv2d.default", {x}).name(), "conv2d_default");
  EXPECT_EQ(g.call_function("aten.conv2d.default", {x}).name(), "conv2d_default_1");
  EXPECT_EQ(g.get_attr("features.0.bertLayer.weight").name(), "features_0_bert_layer_weight");
  EXPECT_EQ(g.call_function("operator.getitem", {x, 0}).name(), "getitem");
  EXPECT_EQ(g.unique_name("sum"), "sum_1");  // Python's sum must not be shadowed
  EXPECT_EQ(g.unique_name("conv2d_default_1"), "conv2d_default_2");
  EXPECT_EQ(g.unique_name("3x"), "_3x");
}

TEST(Graph, NamesSurviveThatTheirNodesAreRenamedOrErased) {
  Graph g;
  Node& relu = g.call_function("aten.relu.default", {});
  Node& conv = g.call_function("aten.conv2d.default", {});
  g.rename(relu, "a_name_that_is_too_long_to_be_stored_within_a_string");
  EXPECT_EQ(g.find("relu_default"), nullptr);
  EXPECT_EQ(g.find("a_name_that_is_too_long_to_be_stored_within_a_string"), &relu);
  EXPECT_EQ(g.call_function("aten.relu.default", {}).name(),
            "relu_default_1");     // given once, not given again by itself
  g.rename(relu, "relu_default");  // but it can be asked for
  EXPECT_EQ(g.find("relu_default"), &relu);
  EXPECT_EQ(g.find("a_name_that_is_too_long_to_be_stored_within_a_string"), nullptr);
  g.erase(conv);
  EXPECT_EQ(g.find("conv2d_default"), nullptr);
  g.rename(relu, "conv2d_default");
  EXPECT_EQ(g.find("conv2d_default"), &relu);
  g.rename(relu, "another");
  EXPECT_EQ(g.find("conv2d_default"), nullptr);
  EXPECT_EQ(g.find("another"), &relu);
}

TEST(Graph, CopiesOfMetadataPartWhenOneIsWrittenTo) {
  Metadata a;
  a.set("stack_trace", "line 1");
  Metadata b = a;
  EXPECT_EQ(a, b);
  b.set("stack_trace", "line 2");
  b.set("torch_fn", "relu");
  EXPECT_EQ(a.get("stack_trace"), "line 1");
  EXPECT_EQ(a.find("torch_fn"), nullptr);
  Metadata c = b;
  c.erase("stack_trace");
  c.erase("no such key");
  EXPECT_EQ(b.get("stack_trace"), "line 2");
  EXPECT_EQ(c.find("stack_trace"), nullptr);
  EXPECT_EQ(c.get("torch_fn"), "relu");
  c.erase("torch_fn");
  EXPECT_EQ(c, Metadata());
}

TEST(Graph, AnEntryOfMetadataIsCopiedWithItsText) {
  Metadata from;
  from.set("stack_trace", "line 1");
  from.set("a key of a user's own", "value");
  Metadata to;
  to.set("torch_fn", "relu");
  to.copy_entry("stack_trace", from);
  to.copy_entry("a key of a user's own", from);
  EXPECT_EQ(to.find("stack_trace"), from.find("stack_trace")) << "one text for both";
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [key, value] : to) entries.emplace_back(key, value);
  EXPECT_EQ(entries, (std::vector<std::pair<std::string, std::string>>{
                         {"torch_fn", "relu"}, {"stack_trace", "line 1"}, {"a key of a user's own", "value"}}));
  to.copy_entry("torch_fn", from);
  EXPECT_EQ(to, from) << "absent there, absent here";
}

TEST(Graph, KnowsWhichTargetsNodesHaveHad) {
  Graph g;
  Node& x = g.placeholder("x");
  EXPECT_FALSE(g.may_have_target("aten.relu.default"));
  Node& a = g.call_function("aten.relu.default", {x});
  Node& b = g.call_function("aten.relu.default", {a});
  EXPECT_EQ(&a.target(), &b.target()) << "one text for both";
  b.set_target("aten.relu_.default");
  EXPECT_EQ(a.target(), "aten.relu.default");
  EXPECT_TRUE(b.is("aten.relu_.default"));
  EXPECT_TRUE(g.may_have_target("aten.relu.default"));
  EXPECT_TRUE(g.may_have_target("aten.relu_.default"));
}

TEST(Graph, UsersAreKeptInTheOrderOfFirstUse) {
  Graph g;
  Node& x = g.placeholder("x");
  Node& a = g.call_function("aten.relu.default", {x});
  Node& b = g.call_function("aten.add.Tensor", {x, x});
  Node& c = g.call_function("aten.neg.default", {x});
  EXPECT_EQ(names(x.users()), "relu_default add_tensor neg_default");
  EXPECT_EQ(x.num_users(), 3u);
  a.set_args({x});  // setting arguments moves a user to the end
  EXPECT_EQ(names(x.users()), "add_tensor neg_default relu_default");
  b.replace_input_with(x, c);
  EXPECT_EQ(names(x.users()), "neg_default relu_default");
  EXPECT_EQ(names(c.users()), "add_tensor");
  EXPECT_EQ(b.arg(0).node(), &c);
  EXPECT_EQ(b.arg(1).node(), &c);
}

TEST(Graph, FindsNodesInsideNestedLists) {
  Graph g;
  Node& x = g.placeholder("x");
  Node& y = g.placeholder("y");
  Node& cat = g.call_function("aten.cat.default", {Argument::List{x, y, x}, 1});
  EXPECT_EQ(names(cat.inputs()), "x y");
  EXPECT_TRUE(x.has_user(cat));
}

TEST(Graph, RefusesToEraseANodeThatIsUsed) {
  Graph g;
  Node& x = g.placeholder("x");
  Node& relu = g.call_function("aten.relu.default", {x});
  g.output({relu});
  EXPECT_THROW(g.erase(relu), InternalError);
}

TEST(Graph, KnowsWhetherANodeEverHadABody) {
  Graph g;
  Node& x = g.placeholder("x");
  Node& relu = g.call_function("aten.relu.default", {x});
  EXPECT_FALSE(g.may_have_bodies());
  const auto body = std::make_shared<Graph>();
  const Argument branch{Argument::Variant(Argument::Subgraph{"true_graph_0", body})};
  int visited = 0;
  const auto count = [&](Graph&) { ++visited; };
  walk_subgraphs(g, count);
  EXPECT_EQ(visited, 1);
  relu.set_args({x, Argument(Argument::List{branch})});  // at any depth
  EXPECT_TRUE(g.may_have_bodies());
  walk_subgraphs(g, count);
  EXPECT_EQ(visited, 3);
  EXPECT_TRUE(g.clone()->may_have_bodies());
}

TEST(Graph, IsSafeToEraseAndInsertWhileWalking) {
  Graph g;
  Node& x = g.placeholder("x");
  Node* last = &x;
  for (int i = 0; i < 4; ++i) last = &g.call_function("aten.relu.default", {*last});
  g.output({*last});
  int visited = 0;
  for (Node& node : g.nodes()) {
    if (!node.is("aten.relu.default")) continue;
    ++visited;
    auto at = g.inserting_before(node);
    Node& neg = g.call_function("aten.neg.default", {*node.input(0)});
    node.replace_all_uses_with(neg);
    g.erase(node);
  }
  EXPECT_EQ(visited, 4);
  EXPECT_EQ(g.size(), 6u);
}

TEST(Graph, OrderSurvivesManyInsertionsAtOnePlace) {
  Graph g;
  Node& x = g.placeholder("x");
  Node& end = g.output({x});
  Node* previous = &x;
  for (int i = 0; i < 1000; ++i) {
    auto at = g.inserting_before(end);
    Node& node = g.call_function("aten.relu.default", {x});
    EXPECT_TRUE(previous->is_before(node));
    EXPECT_TRUE(node.is_before(end));
    previous = &node;
  }
}

TEST(Graph, CloneKeepsNamesOrderAndArguments) {
  Graph g;
  Node& x = g.placeholder("input");
  Node& relu = g.call_function("aten.relu.default", {x});
  relu.meta.set("stack_trace", "File \"model.py\", line 7, in forward\n    return relu(x)");
  g.output({relu});
  const auto copy = g.clone();
  ASSERT_EQ(copy->size(), 3u);
  Node* twin = copy->find("relu_default");
  ASSERT_NE(twin, nullptr);
  EXPECT_EQ(twin->input(0), copy->find(x.name()));
  EXPECT_EQ(twin->describe(), "'relu_default' (aten.relu.default) at model.py:7 in forward");
  // torch.export notes its own frames around those of the model, and torch's modules inside.
  twin->meta.set(
      "stack_trace",
      "  File \"/lib/site-packages/torch/_dynamo/functional_export.py\", line 232, in forward\n    res = f()\n"
      "  File \"net.py\", line 8, in forward\n    return self.block(x)\n"
      "  File \"block.py\", line 5, in forward\n    return self.linear(x)\n"
      "  File \"/lib/site-packages/torch/nn/modules/linear.py\", line 134, in forward\n    return F.linear()\n"
      "  File \"<eval_with_key>.7\", line 11, in forward\n    linear = call()\n");
  EXPECT_EQ(twin->describe(), "'relu_default' (aten.relu.default) at block.py:5 in forward");
  twin->meta.set("stack_trace", "File \"/lib/site-packages/torch/nn/modules/linear.py\", line 134, in forward");
  EXPECT_EQ(twin->describe(),
            "'relu_default' (aten.relu.default) at /lib/site-packages/torch/nn/modules/linear.py:134 in forward");
}

TEST(Graph, ErasedNodesStillSayTheirName) {
  Graph g;
  Node& x = g.placeholder("x");
  Node& relu = g.call_function("aten.relu.default", {x});
  g.erase(relu);
  EXPECT_TRUE(relu.erased());
  EXPECT_EQ(relu.name(), "relu_default");
  EXPECT_EQ(x.num_users(), 0u);
  EXPECT_EQ(g.find("relu_default"), nullptr);
  EXPECT_EQ(g.call_function("aten.relu.default", {x}).name(), "relu_default_1");  // not given again by itself
  Node& heir = g.call_function("aten.neg.default", {x});
  g.rename(heir, "relu_default");  // but it may be taken over
  EXPECT_EQ(heir.name(), "relu_default");
  EXPECT_EQ(g.find("relu_default"), &heir);
}

TEST(Graph, OutlivesItsProgramWhileANodeIsKept) {
  std::shared_ptr<Node> kept;
  {
    Program program;
    Node& x = program.graph().placeholder("x");
    kept = std::shared_ptr<Node>(x.graph().shared_from_this(), &x);
  }
  EXPECT_EQ(kept->graph().find("x"), kept.get());
}

}  // namespace
}  // namespace qdq
