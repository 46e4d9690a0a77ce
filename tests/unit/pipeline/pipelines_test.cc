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

constexpr const char* kTwoLoops = R"(graph(c: f32[2], xs: f32[3, 2]) {
  %relu: f32[3, 2] = aten.relu.default(%xs)
  %scan: (f32[2], f32[3, 2]) = higher_order.scan(subgraph "step" graph(a: f32[2], x: f32[2]) {
    %relu: f32[2] = aten.relu.default(%x)
    %add: f32[2] = aten.add.Tensor(%a, %relu)
    return (%add, %relu)
  }, [%c], [%relu], [])
  %getitem: f32[2] = operator.getitem(%scan, 0)
  %while_loop: (f32[2]) = higher_order.while_loop(subgraph "condition" graph(y: f32[2]) {
    %relu: f32[2] = aten.relu.default(%y)
    %sum: f32[] = aten.sum.default(%relu)
    %lt: bool[] = aten.lt.Scalar(%sum, 100)
    return (%lt)
  }, subgraph "body" graph(y: f32[2]) {
    %relu: f32[2] = aten.relu.default(%y)
    %add: f32[2] = aten.add.Tensor(%relu, 1)
    return (%add)
  }, [%getitem], [])
  %getitem_1: f32[2] = operator.getitem(%while_loop, 0)
  return (%getitem_1)
})";

PreparedProgram prepared_loops() {
  SmallQuantizer quantizer;
  PassOptions options;
  options.verify = true;
  return prepare(parse_program(kTwoLoops), quantizer, options);
}

TEST(Pipelines, BodiesOfLoopsGetObserversOfTheirOwn) {
  const PreparedProgram prepared = prepared_loops();
  std::vector<std::string> targets;
  for (const auto& [target, observer] : prepared.observers()) targets.push_back(target);
  EXPECT_EQ(targets, (std::vector<std::string>{"activation_post_process_0", "body.activation_post_process_0",
                                               "step.activation_post_process_0"}));
  EXPECT_EQ(prepared.pass_report().back().name, "prepare_bodies");
  EXPECT_EQ(prepared.pass_report().back().changed, 2);
}

TEST(Pipelines, AnObserverInABodySeesEveryTurnOfTheLoop) {
  PreparedProgram prepared = prepared_loops();
  prepared.calibrate({Tensor::from<float>({0, 0}, {2}), Tensor::from<float>({1, 2, 3, -4, 5, 6}, {3, 2})});
  const auto range_of = [&](const char* target) {
    const ObserverState state = prepared.observers().at(target)->save_state();
    return std::pair(state.find("min_val")->item(), state.find("max_val")->item());
  };
  EXPECT_EQ(range_of("step.activation_post_process_0"), std::pair(0.0, 6.0));
  // The scan ends with (9, 8), to which the loop adds (1, 1) until the sum is 100 or more: 42 times.
  EXPECT_EQ(range_of("body.activation_post_process_0"), std::pair(8.0, 50.0));
}

TEST(Pipelines, ConvertQuantizesTheBodiesAndLeavesTheConditionAlone) {
  PreparedProgram prepared = prepared_loops();
  prepared.calibrate({Tensor::from<float>({0, 0}, {2}), Tensor::from<float>({1, 2, 3, -4, 5, 6}, {3, 2})});
  ConvertOptions options;
  options.passes.verify = true;
  const Program converted = convert(std::move(prepared), options);
  std::map<std::string, int> quantizes;
  for (const Node& node : converted.graph().nodes())
    for (const Argument& argument : node.args())
      if (const auto* body = argument.get_if<Argument::Subgraph>())
        for (const Node& inner : body->graph->nodes())
          quantizes[body->name] += inner.target().find(".quantize_per_tensor") != std::string::npos;
  EXPECT_EQ(quantizes, (std::map<std::string, int>{{"body", 1}, {"condition", 0}, {"step", 1}}));
}

TEST(Pipelines, TwoBodiesOfOneNameAreRefused) {
  std::string text = kTwoLoops;
  text.replace(text.find("\"body\""), 6, "\"step\"");
  SmallQuantizer quantizer;
  try {
    prepare(parse_program(text), quantizer);
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_STREQ(error.what(),
                 "[prepare_bodies] 'while_loop' (higher_order.while_loop): another loop's body is called 'step' too");
  }
}

// Input and weight of a convolution; the output of a relu shares the observer of the weight, if asked for.
class TrainingQuantizer : public Quantizer {
 public:
  explicit TrainingQuantizer(bool relu_shares_weight) : relu_shares_weight_(relu_shares_weight) {}
  std::string name() const override { return "training"; }
  void annotate(Program& program) override {
    QuantizationSpec spec;
    spec.observer_or_fake_quant_ctr = min_max_observer();
    Node* conv = program.graph().find("conv1d");
    annotation_of(*conv).set_input_qspec(*conv->input(0), spec);
    annotation_of(*conv).set_input_qspec(*conv->input(1), spec);
    Node* relu = program.graph().find("relu");
    if (relu_shares_weight_) annotation_of(*relu).output_qspec = SharedQuantizationSpec{{*conv->input(1), *conv}};
  }

 private:
  bool relu_shares_weight_;
};

constexpr const char* kConvBatchNorm = R"(attribute @w: parameter f32[1, 1, 1] = [3.0]
attribute @gamma: parameter f32[1] = [4.0]
attribute @beta: parameter f32[1] = [1.0]
attribute @mean: buffer f32[1] = [0.5]
attribute @var: buffer f32[1] = [3.0]
graph(x: f32[1, 1, 4]) {
  %w: f32[1, 1, 1] = get_attr @w
  %gamma: f32[1] = get_attr @gamma
  %beta: f32[1] = get_attr @beta
  %mean: f32[1] = get_attr @mean
  %var: f32[1] = get_attr @var
  %conv1d: f32[1, 1, 4] = aten.conv1d.default(%x, %w)
  %batch_norm: f32[1, 1, 4] = aten.batch_norm.default(%conv1d, %gamma, %beta, %mean, %var, true, 0.1, 1.0, true)
  %relu: f32[1, 1, 4] = aten.relu.default(%batch_norm)
  return (%relu)
}
)";

TEST(Pipelines, ForTrainingTheWeightIsObservedAsItWillBeFolded) {
  TrainingQuantizer quantizer(false);
  const PreparedProgram prepared = prepare_qat(parse_program(kConvBatchNorm), quantizer);
  const Graph& graph = prepared.program().graph();
  const Node* conv = graph.find("conv1d_1");
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->input(0)->kind(), NodeKind::call_module);
  ASSERT_EQ(conv->input(1)->kind(), NodeKind::call_module);
  EXPECT_EQ(conv->input(1)->input(0)->name(), "mul");
  EXPECT_EQ(prepared.observers().size(), 2u);
}

TEST(Pipelines, SharingWithAWeightFollowsItToTheScaledWeight) {
  TrainingQuantizer quantizer(true);
  const PreparedProgram prepared = prepare_qat(parse_program(kConvBatchNorm), quantizer);
  const Graph& graph = prepared.program().graph();
  const Node* of_weight = graph.find("conv1d_1")->input(1);
  const Node* of_relu = graph.output_node()->arg(0).list()->front().node();
  ASSERT_EQ(of_relu->kind(), NodeKind::call_module);
  EXPECT_EQ(prepared.observers().at(of_relu->target()), prepared.observers().at(of_weight->target()));
}

// k = 4 / sqrt(3 + 1) = 2; the scale is that of w * k = 6; w' = 6 and b' = (0 - 0.5) * 2 + 1 = 0.
TEST(Pipelines, ConvertFoldsWhatTrainedAsOne) {
  TrainingQuantizer quantizer(false);
  PreparedProgram prepared = prepare_qat(parse_program(kConvBatchNorm), quantizer);
  for (const auto& [target, observer] : prepared.observers())
    observer->observe(Tensor::from<float>({target == "activation_post_process_1" ? 6.0f : 2.0f}, {1}));
  ConvertOptions options;
  options.fold_quantize = false;
  const Program converted = convert(std::move(prepared), options);
  const Node* conv = converted.graph().find("conv1d_2");
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->input(1)->target(), "quantized_decomposed.dequantize_per_tensor.default");
  EXPECT_FLOAT_EQ(static_cast<float>(conv->input(1)->arg(1).to_double()), 6.0f / 255);
  EXPECT_EQ(converted.attributes.tensor("w").item(), 6.0);
  EXPECT_EQ(converted.attributes.tensor("w_bias").item(), 0.0);
  EXPECT_EQ(converted.graph().find("batch_norm"), nullptr);
}

}  // namespace
}  // namespace qdq
