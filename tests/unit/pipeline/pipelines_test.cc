#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

// Relus get an output spec by a rule of that name, negations by no named rule.
class SmallQuantizer : public Quantizer {
 public:
  std::string name() const override { return "small"; }
  void annotate(Program& program) override {
    QuantizationSpec spec;
    spec.observer_or_fake_quant_ctr = min_max_observer();
    for (Node& node : program.graph().nodes()) {
      if (!node.is("aten.relu.default") && !node.is("aten.neg.default")) continue;
      annotation_of(node).output_qspec = spec;
      if (node.is("aten.relu.default")) annotation_of(node).rule = "relu";
    }
  }
};

TEST(Pipelines, NodesKeepTheRuleThatAnnotatedThem) {
  Program program = parse_program(R"(graph(x: f32[4]) {
  %relu: f32[4] = aten.relu.default(%x)
  %neg: f32[4] = aten.neg.default(%relu)
  %exp: f32[4] = aten.exp.default(%neg)
  return (%exp)
})");
  SmallQuantizer quantizer;
  PreparedProgram prepared = prepare(std::move(program), quantizer);
  prepared.calibrate({Tensor::from<float>({-1, 0, 1, 2}, {4})});
  const Program converted = convert(std::move(prepared));
  EXPECT_EQ(converted.graph().find("relu")->meta.get(kQuantizationRule), "small.relu");
  EXPECT_EQ(converted.graph().find("neg")->meta.get(kQuantizationRule), "small");
  EXPECT_EQ(converted.graph().find("exp")->meta.find(kQuantizationRule), nullptr);
  EXPECT_EQ(converted.graph().find("quantize_per_tensor_default")->meta.find(kQuantizationRule), nullptr);
}

}  // namespace
}  // namespace qdq
