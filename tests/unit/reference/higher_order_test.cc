#include "reference/higher_order.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/program.h"
#include "reference/interpreter.h"

namespace qdq {
namespace {

Argument subgraph(const char* name, std::shared_ptr<Graph> graph) {
  return Argument(Argument::Variant(Argument::Subgraph{name, std::move(graph)}));
}

std::string refusal(const Program& program, const std::vector<Tensor>& inputs) {
  try {
    make_reference_executor(program)->run(inputs);
  } catch (const InvalidArgumentError& error) {
    return error.what();
  }
  return "";
}

// (carried, element) -> (carried + element, carried * element), the element seen by an observer first.
std::shared_ptr<Graph> running_sum() {
  auto body = std::make_shared<Graph>();
  Node& carried = body->placeholder("carried");
  Node& element = body->placeholder("element");
  Node& seen = body->call_module("activation_post_process_0", {element});
  Node& product = body->call_function("aten.mul.Tensor", {carried, seen});
  body->output({Argument(body->call_function("aten.add.Tensor", {carried, seen})), Argument(product)});
  return body;
}

Program scan_program() {
  Program program;
  Graph& graph = program.graph();
  Node& start = graph.placeholder("start");
  Node& xs = graph.placeholder("xs");
  Node& scan = graph.call_function("higher_order.scan", {subgraph("body_0", running_sum()), Argument::List{start},
                                                         Argument::List{xs}, Argument::List{}});
  graph.output({Argument(graph.call_function("operator.getitem", {scan, 0})),
                Argument(graph.call_function("operator.getitem", {scan, 1}))});
  return program;
}

TEST(HigherOrder, ScanCarriesOneValueAndStacksTheOther) {
  const Program program = scan_program();
  const auto executor = make_reference_executor(program);
  const auto found = executor->run({Tensor::scalar(1.0f), Tensor::from<float>({2, 3, 4}, {3})});
  EXPECT_TRUE(bit_equal(found[0], Tensor::scalar(10.0f)));
  EXPECT_TRUE(bit_equal(found[1], Tensor::from<float>({2, 9, 24}, {3})));
}

TEST(HigherOrder, ObserversInsideABodySeeEveryStep) {
  const Program program = scan_program();
  const auto executor = make_reference_executor(program);
  std::vector<double> seen;
  executor->set_observe([&](const std::string& name, const Tensor& value) {
    EXPECT_EQ(name, "activation_post_process_0");
    seen.push_back(value.item());
  });
  executor->run({Tensor::scalar(1.0f), Tensor::from<float>({2, 3, 4}, {3})});
  EXPECT_EQ(seen, (std::vector<double>{2, 3, 4}));
}

TEST(HigherOrder, AWalkAlongNothingIsRefused) {
  const std::string message = refusal(scan_program(), {Tensor::scalar(1.0f), Tensor::empty(DType::float32, {0})});
  EXPECT_NE(message.find("'scan'"), std::string::npos) << message;
  EXPECT_NE(message.find("length 0"), std::string::npos) << message;
}

// Doubles x while it is below a limit that both bodies read.
TEST(HigherOrder, WhileLoopStopsWhenItsConditionFails) {
  Program program;
  Graph& graph = program.graph();
  auto condition = std::make_shared<Graph>();
  Node& tested = condition->placeholder("x");
  condition->output({Argument(condition->call_function("aten.lt.Tensor", {tested, condition->placeholder("limit")}))});
  auto body = std::make_shared<Graph>();
  Node& value = body->placeholder("x");
  body->placeholder("limit");
  body->output({Argument(body->call_function("aten.mul.Tensor", {value, 2.0}))});
  Node& x = graph.placeholder("x");
  Node& limit = graph.placeholder("limit");
  Node& loop = graph.call_function("higher_order.while_loop", {subgraph("cond_0", condition), subgraph("body_0", body),
                                                               Argument::List{x}, Argument::List{limit}});
  graph.output({Argument(graph.call_function("operator.getitem", {loop, 0}))});
  const auto executor = make_reference_executor(program);
  EXPECT_EQ(executor->run({Tensor::scalar(3.0f), Tensor::scalar(20.0f)})[0].item(), 24.0);
  EXPECT_EQ(executor->run({Tensor::scalar(30.0f), Tensor::scalar(20.0f)})[0].item(), 30.0);
}

TEST(HigherOrder, OutDtypeComputesInTheWiderDtypeAndCutsOff) {
  Program program = parse_program(R"(graph(x: i8[1, 2], w: i8[1, 2]) {
  %acc: i32[1, 1] = higher_order.out_dtype(op aten.linear.default, i32, %x, %w, none)
  %scaled: i32[1, 1] = higher_order.out_dtype(op aten.mul.Tensor, i32, %acc, -0.3)
  return (%acc, %scaled)
})");
  const auto results = make_reference_executor(program)->run(
      {Tensor::from<std::int8_t>({100, 27}, {1, 2}), Tensor::from<std::int8_t>({100, 1}, {1, 2})});
  EXPECT_EQ(results[0].item(), 10027);
  EXPECT_EQ(results[1].item(), -3008);  // of -3008.1
  EXPECT_EQ(results[1].dtype(), DType::int32);
}

TEST(HigherOrder, OutDtypeOfAnUnknownOperatorIsRefused) {
  Program program = parse_program(R"(graph(x: i8[1]) {
  %y: i32[1] = higher_order.out_dtype(op mine.op.default, i32, %x)
  return (%y)
})");
  EXPECT_NE(refusal(program, {Tensor::from<std::int8_t>({1}, {1})}).find("the operator mine.op.default is not known"),
            std::string::npos);
}

TEST(HigherOrder, AnUnknownOneIsRefusedBeforeAnythingRuns) {
  Program program;
  Node& x = program.graph().placeholder("x");
  program.graph().output({Argument(program.graph().call_function("higher_order.flex_attention", {x}))});
  EXPECT_THROW(make_reference_executor(program), UnsupportedOpError);
}

}  // namespace
}  // namespace qdq
