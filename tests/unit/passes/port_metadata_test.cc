#include "passes/port_metadata.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/quantizer.h"

namespace qdq {
namespace {

// Q [DQ relu Q] DQ pool: the brackets carry relu's tag, the rest of the chain none.
TEST(PortMetadata, TheNeighboursOfAnAnnotatedNodeTakeItsTag) {
  auto graph = parse_graph(R"(
graph(x: f32[4]) {
  %q0: i8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 0, -128, 127, i8)
  %dq0: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q0, 0.5, 0, -128, 127, i8)
  %relu: f32[4] = aten.relu.default(%dq0)
    @stack_trace "File \"m.py\", line 3, in forward"
    @quantization_tag "relu"
  %q1: i8[4] = quantized_decomposed.quantize_per_tensor.default(%relu, 0.5, 0, -128, 127, i8)
  %dq1: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q1, 0.5, 0, -128, 127, i8)
  %exp: f32[4] = aten.exp.default(%dq1)
  return (%exp)
})");
  Node& relu = *graph->find("relu");
  annotation_of(relu).set_input_qspec(*graph->find("x"), QuantizationSpec{});
  annotation_of(relu).output_qspec = QuantizationSpec{};
  EXPECT_EQ(port_metadata(*graph), 1);
  EXPECT_EQ(graph->find("q0")->meta.get("quantization_tag"), "");
  EXPECT_EQ(graph->find("dq0")->meta.get("quantization_tag"), "relu");
  EXPECT_EQ(graph->find("dq0")->meta.get("stack_trace"), relu.meta.get("stack_trace"));
  EXPECT_EQ(graph->find("q1")->meta.get("quantization_tag"), "relu");
  EXPECT_EQ(graph->find("dq1")->meta.get("quantization_tag"), "");
}

TEST(PortMetadata, AWeightsQuantizeTakesTheWeightsTag) {
  Program program = parse_program(R"(attribute @w: parameter f32[2, 2] = full(1.0)
graph(x: f32[2, 2]) {
  %w: f32[2, 2] = get_attr @w
    @quantization_tag "weight"
  %t: f32[2, 2] = aten.permute.default(%w, [1, 0])
  %q: i8[2, 2] = quantized_decomposed.quantize_per_tensor.default(%t, 0.5, 0, -128, 127, i8)
  %dq: f32[2, 2] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, 0, -128, 127, i8)
  %linear: f32[2, 2] = aten.linear.default(%x, %dq)
    @quantization_tag "linear"
  return (%linear)
}
)");
  Graph& graph = program.graph();
  annotation_of(*graph.find("linear")).set_input_qspec(*graph.find("t"), QuantizationSpec{});
  port_metadata(graph);
  EXPECT_EQ(graph.find("t")->meta.get("quantization_tag"), "weight");
  EXPECT_EQ(graph.find("q")->meta.get("quantization_tag"), "weight");
  EXPECT_EQ(graph.find("dq")->meta.get("quantization_tag"), "linear");
}

TEST(PortMetadata, RefusesADynamicInputWithoutChosenQParams) {
  auto graph = parse_graph(R"(
graph(x: f32[4]) {
  %relu: f32[4] = aten.relu.default(%x)
  return (%relu)
})");
  QuantizationSpec dynamic;
  dynamic.is_dynamic = true;
  annotation_of(*graph->find("relu")).set_input_qspec(*graph->find("x"), dynamic);
  EXPECT_THROW(port_metadata(*graph), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
