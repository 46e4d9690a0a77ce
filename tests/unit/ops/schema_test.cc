#include "ops/schema.h"

#include <gtest/gtest.h>

#include "ops/family.h"

namespace qdq {
namespace {

TEST(Schema, ReadsNamesTypesAndDefaults) {
  const OpSchema schema = parse_schema(
      "aten::conv2d.padding(Tensor input, Tensor? bias=None, SymInt[2] stride=[1, 2], str padding=\"valid\", float "
      "eps=1e-05, "
      "*, bool flag=True) -> Tensor");
  EXPECT_EQ(schema.target, "aten.conv2d.padding");
  ASSERT_EQ(schema.args.size(), 6u);
  EXPECT_EQ(schema.args[0].name, "input");
  EXPECT_FALSE(schema.args[0].has_default);
  EXPECT_EQ(schema.args[1].type, "Tensor?");
  EXPECT_TRUE(schema.args[1].has_default);
  EXPECT_TRUE(schema.args[1].default_value.is_none());
  EXPECT_EQ(schema.args[2].type, "SymInt[2]");
  EXPECT_EQ(schema.args[2].default_value.to_ints(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(schema.args[3].default_value, Argument("valid"));
  EXPECT_EQ(schema.args[4].default_value, Argument(1e-5));
  EXPECT_FALSE(schema.args[4].keyword_only);
  EXPECT_EQ(schema.args[5].default_value, Argument(true));
  EXPECT_TRUE(schema.args[5].keyword_only);
  EXPECT_EQ(schema.returns, (std::vector<std::string>{"Tensor"}));
}

TEST(Schema, KnowsWhatAnOpWrites) {
  const OpSchema in_place = parse_schema("aten::relu_(Tensor(a!) self) -> Tensor(a!)");
  EXPECT_TRUE(in_place.mutates());
  EXPECT_EQ(in_place.args[0].type, "Tensor");
  const OpSchema view = parse_schema("aten::split.Tensor(Tensor(a) self, SymInt split_size, int dim=0) -> Tensor(a)[]");
  EXPECT_FALSE(view.mutates());
  EXPECT_TRUE(view.args[0].is_aliased);
  EXPECT_EQ(view.returns, (std::vector<std::string>{"Tensor[]"}));
}

TEST(Schema, ReadsSeveralAndNoResults) {
  EXPECT_EQ(parse_schema("aten::max.dim(Tensor self, int dim) -> (Tensor values, Tensor indices)").returns.size(), 2u);
  EXPECT_TRUE(parse_schema("aten::_assert_scalar(Scalar self, str assert_msg) -> ()").returns.empty());
}

TEST(Schema, GivesPythonFunctionsNoOverload) {
  EXPECT_EQ(parse_schema("_operator::mul(Scalar a, Scalar b) -> Scalar").target, "_operator.mul");
  EXPECT_EQ(parse_schema("aten::relu(Tensor self) -> Tensor").target, "aten.relu.default");
}

TEST(Schema, TakesAPacketForItsDefaultOverload) {
  EXPECT_EQ(find_schema("torchao.quantize_affine"), find_schema("torchao.quantize_affine.default"));
  EXPECT_EQ(find_schema("aten.conv2d.padding.default"), nullptr);
  EXPECT_EQ(find_schema("aten.upsample_nearest2d"), nullptr);  // has no default overload
}

TEST(Schema, RefusesWhatItCannotRead) {
  EXPECT_THROW(parse_schema("relu"), InternalError);
  EXPECT_THROW(parse_schema("aten::f(Tensor a=what) -> Tensor"), InternalError);
}

TEST(Schema, EveryRowParsesAndIsFound) {
  EXPECT_GT(all_schemas().size(), 300u);
  for (const OpSchema* schema : all_schemas()) EXPECT_EQ(find_schema(schema->target), schema);
  EXPECT_EQ(find_schema("aten.no_such_op.default"), nullptr);
}

TEST(Bind, FillsDefaultsAndTakesKeywordsByName) {
  Graph graph;
  Node& x = graph.placeholder("x");
  Node& node = graph.call_function("aten.add.Tensor", {x, 2}, {{"alpha", 3}});
  const Call call =
      bind(node, *find_schema("aten.add.Tensor"), [](const Node&) { return Value(Tensor::scalar(1.0f)); });
  EXPECT_EQ(call.tensor("self").item(), 1.0);
  EXPECT_EQ(call.integer("other"), 2);
  EXPECT_EQ(call.number("alpha"), 3.0);
  Node& short_form = graph.call_function("aten.add.Tensor", {x, x});
  EXPECT_EQ(bind(short_form, *find_schema("aten.add.Tensor"), [](const Node&) { return Value(); }).integer("alpha"), 1);
}

TEST(Bind, NamesTheNodeOfAWrongCall) {
  Graph graph;
  Node& x = graph.placeholder("x");
  const auto message = [&](Argument::List args, Argument::Dict kwargs) -> std::string {
    Node& node = graph.call_function("aten.relu.default", std::move(args), std::move(kwargs));
    try {
      bind(node, *find_schema("aten.relu.default"), [](const Node&) { return Value(); });
    } catch (const InvalidArgumentError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message({}, {}).find("argument 'self' is missing"), std::string::npos);
  EXPECT_NE(message({x, x}, {}).find("2 arguments, the operator takes 1"), std::string::npos);
  EXPECT_NE(message({x}, {{"self", x}}).find("given twice"), std::string::npos);
  EXPECT_NE(message({x}, {{"inplace", true}}).find("no argument 'inplace'"), std::string::npos);
  EXPECT_NE(message({}, {}).find("aten.relu.default"), std::string::npos);
}

}  // namespace
}  // namespace qdq
