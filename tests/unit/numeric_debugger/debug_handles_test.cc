#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/numeric_debugger.h"

namespace qdq {
namespace {

constexpr const char* kMap = R"(graph(x: f32[2]) {
  %relu: f32[2] = aten.relu.default(%x)
  %map: (f32[2]) = higher_order.map_impl(subgraph "body" graph(y: f32[]) {
    %neg: f32[] = aten.neg.default(%y)
    return (%neg)
  }, [%relu], [])
  %getitem: f32[2] = operator.getitem(%map, 0)
  return (%getitem)
})";

TEST(NumericDebugHandle, EveryOperatorGetsOneInTheFormOfTorchExport) {
  Program program = parse_program(kMap);
  EXPECT_EQ(generate_numeric_debug_handle(program), 4);
  EXPECT_EQ(program.graph().find("relu")->meta.get("custom"), "{\"numeric_debug_handle\": 1}");
  EXPECT_EQ(numeric_debug_handle(*program.graph().find("getitem")), 3);
  EXPECT_EQ(numeric_debug_handle(*program.graph().find("x")), std::nullopt);
  const auto* body = program.graph().find("map")->arg(0).get_if<Argument::Subgraph>();
  EXPECT_EQ(numeric_debug_handle(*body->graph->find("neg")), 4);
}

TEST(NumericDebugHandle, NumbersGoOnBehindTheLargestAndStay) {
  Program program = parse_program(kMap);
  program.graph().find("getitem")->meta.set("custom", "{\"numeric_debug_handle\": 41}");
  EXPECT_EQ(generate_numeric_debug_handle(program), 3);
  EXPECT_EQ(numeric_debug_handle(*program.graph().find("getitem")), 41);
  EXPECT_EQ(numeric_debug_handle(*program.graph().find("relu")), 42);
  EXPECT_EQ(generate_numeric_debug_handle(program), 0);
}

TEST(NumericDebugHandle, OtherCustomMetadataIsKept) {
  Program program = parse_program(kMap);
  Node& relu = *program.graph().find("relu");
  relu.meta.set("custom", "{\"mine\": {\"a\": 1}}");
  program.graph().find("map")->meta.set("custom", "{}");
  generate_numeric_debug_handle(program);
  EXPECT_EQ(relu.meta.get("custom"), "{\"mine\": {\"a\": 1}, \"numeric_debug_handle\": 1}");
  EXPECT_EQ(program.graph().find("map")->meta.get("custom"), "{\"numeric_debug_handle\": 2}");
}

}  // namespace
}  // namespace qdq
