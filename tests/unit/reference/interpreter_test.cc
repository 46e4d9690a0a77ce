#include "reference/interpreter.h"

#include <gtest/gtest.h>

#include "qdq/program.h"

namespace qdq {
namespace {

TensorMeta meta(DType dtype, std::vector<SymInt> sizes) {
  TensorMeta result;
  result.dtype = dtype;
  result.sizes = std::move(sizes);
  return result;
}

Node& input(Program& program, const char* name, TensorMeta type) {
  Node& node = program.graph().placeholder(name);
  node.type.v = std::move(type);
  return node;
}

std::string message_of(Executor& executor, const std::vector<Tensor>& inputs) {
  try {
    executor.run(inputs);
  } catch (const InvalidArgumentError& error) {
    return error.what();
  }
  return "";
}

// A skip tensor taken before an in-place relu sees the relu: relu(x) + relu(x), not x + relu(x).
TEST(Interpreter, InPlaceOpsChangeTheirAliases) {
  Program program;
  Graph& graph = program.graph();
  Node& x = graph.placeholder("x");
  Node& y = graph.call_function("aten.mul.Tensor", {x, 1.0});
  Node& view = graph.call_function("aten.view.default", {y, Argument::List{4}});
  Node& relu = graph.call_function("aten.relu_.default", {y});
  graph.output({Argument(graph.call_function(
      "aten.add.Tensor", {view, graph.call_function("aten.view.default", {relu, Argument::List{4}})}))});
  const Tensor given = Tensor::from<float>({-1, 2, -3, 4}, {2, 2});
  const auto executor = make_reference_executor(program);
  EXPECT_TRUE(bit_equal(executor->run({given})[0], Tensor::from<float>({0, 4, 0, 8}, {4})));
  EXPECT_TRUE(bit_equal(given, Tensor::from<float>({-1, 2, -3, 4}, {2, 2})));
}

TEST(Interpreter, MeasuresItsStepsWhenAsked) {
  Program program;
  Node& x = program.graph().placeholder("x");
  Node& relu = program.graph().call_function("aten.relu.default", {x});
  program.graph().output({Argument(program.graph().call_function("aten.neg.default", {relu}))});
  const auto executor = make_reference_executor(program);
  executor->run({Tensor::from<float>({1}, {1})});
  EXPECT_TRUE(executor->step_times().empty());
  executor->set_profiling(true);
  for (int run = 0; run < 2; ++run) executor->run({Tensor::from<float>({1}, {1})});
  const std::vector<StepTime> times = executor->step_times();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_EQ(times[0].node, "relu_default");
  EXPECT_EQ(times[0].kind, "reference:aten.relu.default");
  EXPECT_EQ(times[1].node, "neg_default");
  EXPECT_GE(times[1].start, times[0].start + times[0].seconds);
}

TEST(Interpreter, NeverWritesIntoTheCallersTensor) {
  Program program;
  Node& x = program.graph().placeholder("x");
  program.graph().output({Argument(program.graph().call_function("aten.relu_.default", {x}))});
  const Tensor given = Tensor::from<float>({-1, 2}, {2});
  EXPECT_TRUE(bit_equal(make_reference_executor(program)->run({given})[0], Tensor::from<float>({0, 2}, {2})));
  EXPECT_TRUE(bit_equal(given, Tensor::from<float>({-1, 2}, {2})));
}

TEST(Interpreter, BuffersKeepTheirValueForTheNextRun) {
  Program program;
  Graph& graph = program.graph();
  Node& x = graph.placeholder("x");
  Attribute count;
  count.name = "count";
  count.kind = AttributeKind::buffer;
  count.value = Tensor::from<float>({0, 0}, {2});
  Node& buffer = program.add_attribute(count);
  Node& sum = graph.call_function("aten.add.Tensor", {buffer, x});
  graph.output({sum, sum});
  program.outputs = {{OutputSpec::Kind::buffer_mutation, "count"}, {OutputSpec::Kind::user_output, ""}};
  const auto executor = make_reference_executor(program);
  const std::vector<Tensor> inputs = {Tensor::from<float>({1, 2}, {2})};
  ASSERT_EQ(executor->run(inputs).size(), 1u);
  EXPECT_TRUE(bit_equal(executor->run(inputs)[0], Tensor::from<float>({2, 4}, {2})));
  EXPECT_TRUE(bit_equal(program.attributes.tensor("count"), Tensor::from<float>({0, 0}, {2})));
}

TEST(Interpreter, RefusesToWriteIntoAParameter) {
  Program program;
  program.graph().placeholder("x");
  Attribute parameter;
  parameter.name = "weight";
  parameter.value = Tensor::from<float>({1}, {1});
  Node& weight = program.add_attribute(parameter);
  program.graph().output({Argument(program.graph().call_function("aten.relu_.default", {weight}))});
  EXPECT_NE(message_of(*make_reference_executor(program), {Tensor::scalar(1.0f)}).find("parameter"), std::string::npos);
}

TEST(Interpreter, NamesAnUnsupportedOpBeforeItRuns) {
  Program program;
  Node& x = program.graph().placeholder("x");
  Node& node = program.graph().call_function("my.op.default", {x});
  node.meta.set("stack_trace", "  File \"model.py\", line 12, in forward\n    return op(x)\n");
  program.graph().output({node});
  try {
    make_reference_executor(program);
    FAIL() << "no error";
  } catch (const UnsupportedOpError& error) {
    EXPECT_NE(std::string(error.what()).find("my.op.default"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("model.py:12"), std::string::npos);
  }
}

TEST(Interpreter, ChecksInputsByName) {
  Program program;
  const SymInt batch = SymInt::symbolic("Symbol('s0', positive=True, integer=True)", 2);
  Node& a = input(program, "a", meta(DType::float32, {batch, 3}));
  Node& b = input(program, "b", meta(DType::float32, {batch, 3}));
  program.graph().output({Argument(program.graph().call_function("aten.add.Tensor", {a, b}))});
  program.range_constraints["s0"] = {1, 4};
  const auto executor = make_reference_executor(program);
  const auto zeros = [](Shape sizes) { return Tensor::empty(DType::float32, std::move(sizes)); };
  EXPECT_EQ(executor->run({zeros({4, 3}), zeros({4, 3})}).size(), 1u);
  EXPECT_NE(message_of(*executor, {zeros({2, 3})}).find("takes 2 inputs, found 1"), std::string::npos);
  EXPECT_NE(message_of(*executor, {zeros({2, 3}), zeros({2, 5})}).find("input 'b': dimension 1: 3 expected, found 5"),
            std::string::npos);
  EXPECT_NE(message_of(*executor, {zeros({2, 3}), zeros({3, 3})}).find("input 'b': dimension 0: the symbol s0"),
            std::string::npos);
  EXPECT_NE(message_of(*executor, {zeros({9, 3}), zeros({9, 3})}).find("outside the range from 1 to 4"),
            std::string::npos);
  EXPECT_NE(message_of(*executor, {zeros({2}), zeros({2, 3})}).find("input 'a': 2 dimensions"), std::string::npos);
  EXPECT_NE(
      message_of(*executor, {Tensor::empty(DType::int8, {2, 3}), zeros({2, 3})}).find("float32 expected, found int8"),
      std::string::npos);
}

TEST(Interpreter, ShowsObserversTheValueAndPassesItOn) {
  Program program;
  Node& x = program.graph().placeholder("x");
  program.graph().output({Argument(program.graph().call_module("activation_post_process_0", {x}))});
  const auto executor = make_reference_executor(program);
  double seen = 0;
  executor->set_observe([&](const std::string& name, const Tensor& value) {
    EXPECT_EQ(name, "activation_post_process_0");
    seen = value.item();
  });
  EXPECT_EQ(executor->run({Tensor::scalar(3.0f)})[0].item(), 3.0);
  EXPECT_EQ(seen, 3.0);
}

TEST(Interpreter, KeepsTheValuesAskedFor) {
  Program program;
  Node& x = program.graph().placeholder("x");
  Node& relu = program.graph().call_function("aten.relu.default", {x});
  program.graph().output({Argument(program.graph().call_function("aten.neg.default", {relu}))});
  const auto executor = make_reference_executor(program);
  executor->keep_values({relu.name()});
  EXPECT_EQ(executor->kept_value(relu.name()), nullptr);
  executor->run({Tensor::scalar(-3.0f)});
  ASSERT_NE(executor->kept_value(relu.name()), nullptr);
  EXPECT_EQ(executor->kept_value(relu.name())->item(), 0.0);
}

TEST(Interpreter, RunsTheChosenBranchOfACond) {
  Program program;
  Graph& graph = program.graph();
  const auto branch = [](const char* target) {
    auto body = std::make_shared<Graph>();
    Node& x = body->placeholder("x");
    body->output({Argument(body->call_function(target, {x}))});
    return body;
  };
  Node& x = graph.placeholder("x");
  Node& positive = graph.call_function("aten.gt.Scalar", {x, 0});
  const Argument then_body(Argument::Variant(Argument::Subgraph{"true_graph_0", branch("aten.neg.default")}));
  const Argument else_body(Argument::Variant(Argument::Subgraph{"false_graph_0", branch("aten.abs.default")}));
  Node& cond = graph.call_function("higher_order.cond", {positive, then_body, else_body, Argument::List{x}});
  graph.output({Argument(graph.call_function("operator.getitem", {cond, 0}))});
  const auto executor = make_reference_executor(program);
  EXPECT_EQ(executor->run({Tensor::scalar(2.0f)})[0].item(), -2.0);
  EXPECT_EQ(executor->run({Tensor::scalar(-3.0f)})[0].item(), 3.0);
}

}  // namespace
}  // namespace qdq
