#include "passes/loop_body.h"

#include <gtest/gtest.h>

#include "graph/verify.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

constexpr const char* kScan = R"(attribute @scale: buffer f32[1] = [2.0]
attribute @step.scale: buffer f32[1] = [0.5]
attribute @step.inner.shift: buffer f32[1] = [3.0]
graph(c: f32[1], xs: f32[3, 1]) {
  %scan: (f32[1], f32[3, 1]) = higher_order.scan(subgraph "step" graph(a: f32[1], x: f32[1]) {
    %scale: f32[1] = get_attr @step.scale
    %mul: f32[1] = aten.mul.Tensor(%x, %scale)
    %obs: f32[1] = call_module @step.activation_post_process_0(%mul)
    %map: (f32[1]) = higher_order.map_impl(subgraph "inner" graph(y: f32[]) {
      %shift: f32[1] = get_attr @step.inner.shift
      %add: f32[] = aten.add.Tensor(%y, %shift)
      return (%add)
    }, [%obs], [])
    %getitem: f32[1] = operator.getitem(%map, 0)
    return (%a, %getitem)
  }, [%c], [%xs], [])
  %getitem: f32[1] = operator.getitem(%scan, 0)
  %scale: f32[1] = get_attr @scale
  %mul: f32[1] = aten.mul.Tensor(%getitem, %scale)
  return (%mul)
}
)";

TEST(LoopBody, IsAProgramWithTheNamesThatBelongToIt) {
  Program program = parse_program(kScan);
  LoopBody body(program, *loop_body(*program.graph().find("scan")));
  verify(body.program(), "LoopBody");
  EXPECT_EQ(body.prefix(), "step.");
  EXPECT_EQ(body.program().attributes.tensor("scale").item(), 0.5);
  EXPECT_EQ(body.program().attributes.tensor("inner.shift").item(), 3.0);
  EXPECT_EQ(body.program().graph().find("scale")->target(), "scale");
  EXPECT_EQ(body.program().graph().find("obs")->target(), "activation_post_process_0");
  EXPECT_EQ(body.program().inputs.size(), 2U);
  EXPECT_EQ(body.program().outputs.size(), 2U);
  EXPECT_EQ(program.attributes.size(), 1U);  // "scale" of the program around it
}

TEST(LoopBody, GivesEverythingBackAsItWas) {
  Program program = parse_program(kScan);
  LoopBody body(program, *loop_body(*program.graph().find("scan")));
  body.put_back();
  EXPECT_EQ(to_text(program, TextOptions::with_attributes()),
            to_text(parse_program(kScan), TextOptions::with_attributes()));
}

TEST(LoopBody, GivesBackWhatWasAdded) {
  Program program = parse_program(kScan);
  LoopBody body(program, *loop_body(*program.graph().find("scan")));
  {
    auto at = body.program().graph().inserting_before(*body.program().graph().find("mul"));
    Attribute extra;
    extra.name = "extra";
    extra.value = Tensor::scalar(7.0f);
    body.program().add_attribute(std::move(extra));
  }
  body.put_back();
  EXPECT_EQ(program.attributes.tensor("step.extra").item(), 7.0);
  EXPECT_EQ(loop_body(*program.graph().find("scan"))->graph->find("extra")->target(), "step.extra");
}

TEST(LoopBody, RefusesToReplaceTheGraph) {
  Program program = parse_program(kScan);
  LoopBody body(program, *loop_body(*program.graph().find("scan")));
  body.program().set_graph(std::make_shared<Graph>());
  EXPECT_THROW(body.put_back(), InvalidArgumentError);
}

TEST(LoopBody, OnlyScanAndWhileLoopHaveOne) {
  const Program program = parse_program(R"(graph(x: f32[2]) {
  %map: (f32[2]) = higher_order.map_impl(subgraph "body" graph(y: f32[]) {
    %neg: f32[] = aten.neg.default(%y)
    return (%neg)
  }, [%x], [])
  %broken: (f32[2]) = higher_order.scan(%x, [%x], [%x], [])
  %getitem: f32[2] = operator.getitem(%map, 0)
  return (%getitem)
})");
  for (const Node& node : program.graph().nodes()) EXPECT_EQ(loop_body(node), nullptr) << node.name();
}

}  // namespace
}  // namespace qdq
