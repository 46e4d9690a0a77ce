#include <gtest/gtest.h>

#include "annotation_text.h"
#include "qdq/graph_text.h"
#include "qdq/quantizers.h"

namespace qdq {
namespace {

Program embedding_and_linear() {
  return parse_program(R"(
attribute @table: parameter f32[3, 2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
attribute @w: parameter f32[2, 2] = [1.0, 2.0, 3.0, 4.0]
graph(ids: i64[4]) {
  %table: f32[3, 2] = get_attr @table
  %w: f32[2, 2] = get_attr @w
  %embedding: f32[4, 2] = aten.embedding.default(%table, %ids)
  %linear: f32[4, 2] = aten.linear.default(%embedding, %w)
    @stack_trace "  File \"net.py\", line 7, in forward\n    return self.linear(x)\n"
  return (%linear)
})");
}

// Annotates every linear, taken or not, and records what was called.
class Greedy : public Quantizer {
 public:
  explicit Greedy(std::string* calls = nullptr) : calls_(calls) {}
  std::string name() const override { return "greedy"; }
  void transform_for_annotation(Program&) override { record("transform "); }
  void annotate(Program& program) override {
    record("annotate ");
    for (Node& node : program.graph().nodes()) {
      if (!node.is("aten.linear.default")) continue;
      node.annotation = std::make_shared<QuantizationAnnotation>();
      node.annotation->output_qspec = *symmetric_config().output_activation;
    }
  }
  void validate(const Program&) override { record("validate "); }
  void prepare_obs_or_fq_callback(Program&, ObserverMap&) override { record("callback "); }

 private:
  void record(const char* call) {
    if (calls_) *calls_ += call;
  }
  std::string* calls_;
};

std::shared_ptr<Quantizer> xnnpack() {
  auto quantizer = std::make_shared<XnnpackQuantizer>();
  quantizer->set_global(symmetric_config());
  return quantizer;
}

TEST(ComposableQuantizer, EachMemberAnnotatesItsPart) {
  Program program = embedding_and_linear();
  ComposableQuantizer both({std::make_shared<EmbeddingQuantizer>(), xnnpack()});
  both.annotate(program);
  EXPECT_EQ(both.name(), "embedding,xnnpack");
  EXPECT_EQ(program.graph().find("linear")->annotation->quantizer, "xnnpack");
  EXPECT_EQ(annotations(program),
            "embedding by embedding: table=PerChannelMinMaxObserver\n"
            "linear by linear: embedding=HistogramObserver w=MinMaxObserver -> HistogramObserver\n");
}

TEST(ComposableQuantizer, RefusesAMemberThatReplacesAnAnnotation) {
  Program program = embedding_and_linear();
  ComposableQuantizer both({xnnpack(), std::make_shared<Greedy>()});
  try {
    both.annotate(program);
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_EQ(std::string(error.what()),
              "[annotate] quantizer 'greedy' replaces the annotation that 'xnnpack' gave to 'linear' "
              "(aten.linear.default) at net.py:7 in forward; a quantizer must skip nodes that are annotated already");
  }
}

TEST(ComposableQuantizer, ALaterMemberMayTakeWhatAnEarlierOneDeclined) {
  Program program = embedding_and_linear();
  class Declining : public Quantizer {
    std::string name() const override { return "declining"; }
    void annotate(Program& p) override { decline(*p.graph().find("linear"), "too small"); }
  };
  ComposableQuantizer({std::make_shared<Declining>(), std::make_shared<Greedy>()}).annotate(program);
  EXPECT_EQ(annotations(program), "linear by : -> HistogramObserver\n");
}

TEST(ComposableQuantizer, CallsEveryStageOfItsMembers) {
  Program program = embedding_and_linear();
  std::string calls;
  ComposableQuantizer quantizer({std::make_shared<Greedy>(&calls)});
  quantizer.transform_for_annotation(program);
  quantizer.annotate(program);
  quantizer.validate(program);
  ObserverMap observers;
  quantizer.prepare_obs_or_fq_callback(program, observers);
  EXPECT_EQ(calls, "transform annotate validate callback ");
}

TEST(EmbeddingQuantizer, LeavesExcludedTablesInFloat) {
  Program program = embedding_and_linear();
  EmbeddingQuantizer().exclude(pattern_filter("embedding")).annotate(program);
  EXPECT_EQ(annotations(program), "");
  EXPECT_EQ(program.graph().find("embedding")->annotation->why_not, "excluded on request");
}

TEST(QuantizerByName, BuildsListsAndSetsOptions) {
  Program program = embedding_and_linear();
  const auto quantizer =
      quantizer_by_name("embedding,xnnpack", {.per_channel = true, .observer = "MinMaxObserver", .exclude = {"emb*"}});
  quantizer->annotate(program);
  EXPECT_EQ(annotations(program),
            "linear by linear: embedding=MinMaxObserver w=PerChannelMinMaxObserver -> MinMaxObserver\n");
  const auto& spec = std::get<QuantizationSpec>(program.graph().find("linear")->annotation->output_qspec);
  EXPECT_EQ(spec.observer_or_fake_quant_ctr.defaults().eps, 1.0 / 4096);
}

TEST(QuantizerByName, ChoosesTheObserverOfWeightsApart) {
  Program program = embedding_and_linear();
  quantizer_by_name("embedding,xnnpack", {.weight_observer = "MSEObserver", .exclude = {"emb*"}})->annotate(program);
  EXPECT_EQ(annotations(program), "linear by linear: embedding=HistogramObserver w=MSEObserver -> HistogramObserver\n");
  const Node& linear = *program.graph().find("linear");
  const auto& spec = std::get<QuantizationSpec>(*linear.annotation->input_qspec(*program.graph().find("w")));
  EXPECT_EQ(spec.qscheme, QScheme::per_tensor_symmetric);
  EXPECT_EQ(spec.observer_or_fake_quant_ctr.defaults().eps, 1.0 / 4096);
  EXPECT_NO_THROW(quantizer_by_name("x86", {.weight_observer = "PerChannelMinMaxObserver"}));
}

TEST(QuantizerByName, RefusesAnObserverThatDoesNotKnowTheSchemeOfTheWeights) {
  try {
    quantizer_by_name("xnnpack", {.per_channel = true, .weight_observer = "MinMaxObserver"});
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_EQ(std::string(error.what()),
              "[annotate] quantizer 'xnnpack': MinMaxObserver cannot watch its weights: [observe] MinMaxObserver: a "
              "per_tensor qscheme expected, found per_channel_symmetric");
  }
  EXPECT_THROW(quantizer_by_name("weight_only", {.weight_observer = "MSEObserver"}), InvalidArgumentError);
}

TEST(QuantizerByName, UnknownNamesListTheKnownOnes) {
  try {
    quantizer_by_name("embedding,gpu");
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("no quantizer is called 'gpu'; there are xnnpack, "), std::string::npos);
  }
}

TEST(QuantizerByName, RefusesWhatTheQuantizerDoesNotHave) {
  EXPECT_THROW(quantizer_by_name("xnnpack", {.is_dynamic = true, .observer = "MinMaxObserver"}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("xnnpack", {.observer = "PerChannelMinMaxObserver"}), InvalidArgumentError);
  EXPECT_THROW(quantizer_by_name("embedding", {.per_channel = false}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
