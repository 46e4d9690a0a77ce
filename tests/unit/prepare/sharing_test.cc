#include "prepare/sharing.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

QuantizationSpec int8_spec(std::int64_t quant_min = -128) {
  QuantizationSpec spec;
  spec.dtype = DType::int8;
  spec.observer_or_fake_quant_ctr = min_max_observer();
  spec.quant_min = quant_min;
  spec.quant_max = 127;
  spec.qscheme = QScheme::per_tensor_affine;
  return spec;
}

// The groups as text, "x->conv conv | conv->relu": members in place order, groups in order of their first member.
std::string groups_of(const Graph& graph) {
  const AnnotatedPlaces places(graph);
  const auto groups = sharing_groups(places);
  std::string text;
  for (std::size_t first = 0; first < groups.size(); ++first) {
    if (groups[first] != first) continue;
    text += text.empty() ? "" : " | ";
    bool start = true;
    for (std::size_t i = first; i < groups.size(); ++i) {
      if (groups[i] != first) continue;
      const EdgeOrNode& place = places.all()[i].place;
      text += (start ? "" : " ") + place.producer->name() + (place.is_edge() ? "->" + place.consumer->name() : "");
      start = false;
    }
  }
  return text;
}

std::string error_of(const Graph& graph) {
  try {
    build_observers(AnnotatedPlaces(graph));
  } catch (const InvalidArgumentError& error) {
    return error.what();
  }
  return "no error";
}

struct Chain : testing::Test {
  std::unique_ptr<Graph> graph = parse_graph(R"(
graph(x: f32[1, 4]) {
  %a: f32[1, 4] = aten.neg.default(%x)
  %b: f32[1, 4] = aten.relu.default(%a)
  %c: f32[1, 4] = aten.exp.default(%a)
  return (%b, %c)
})");
  Node& x = *graph->find("x");
  Node& a = *graph->find("a");
  Node& b = *graph->find("b");
  Node& c = *graph->find("c");
};

TEST_F(Chain, OutputAndConsumersOfEqualConfigurationShareOneObserver) {
  annotation_of(a).output_qspec = int8_spec();
  annotation_of(b).set_input_qspec(a, int8_spec());
  annotation_of(c).set_input_qspec(a, int8_spec(-127));
  EXPECT_EQ(groups_of(*graph), "a a->b | a->c");
}

TEST_F(Chain, AConsumerCanRefuseImplicitSharing) {
  annotation_of(a).output_qspec = int8_spec();
  annotation_of(b).set_input_qspec(a, int8_spec());
  annotation_of(c).set_input_qspec(a, int8_spec());
  annotation_of(b).allow_implicit_sharing = false;
  EXPECT_EQ(groups_of(*graph), "a a->b a->c");  // c still draws in everybody
  annotation_of(c).allow_implicit_sharing = false;
  EXPECT_EQ(groups_of(*graph), "a | a->b | a->c");
}

TEST_F(Chain, SharingDoesNotDependOnTheOrderOfPlaces) {
  // a refers forward, to places that come later in the graph.
  annotation_of(a).output_qspec = SharedQuantizationSpec{b};
  annotation_of(b).output_qspec = SharedQuantizationSpec{c};
  annotation_of(c).output_qspec = int8_spec();
  EXPECT_EQ(groups_of(*graph), "a b c");
  const ObserverMap observers = build_observers(AnnotatedPlaces(*graph));
  EXPECT_EQ(observers[0].second, observers[2].second);
  EXPECT_EQ(observers[0].second->kind(), "MinMaxObserver");
}

TEST_F(Chain, SharingWithTheEdgeIntoAConsumer) {
  annotation_of(b).set_input_qspec(a, int8_spec());
  annotation_of(b).output_qspec = SharedQuantizationSpec{{a, b}};
  EXPECT_EQ(groups_of(*graph), "a->b b");
}

TEST_F(Chain, AnInputLeftAloneHasNoObserver) {
  annotation_of(b).set_input_qspec(a, std::monostate{});
  annotation_of(c).set_input_qspec(a, int8_spec());
  const ObserverMap observers = build_observers(AnnotatedPlaces(*graph));
  EXPECT_EQ(observers[0].second, nullptr);
  EXPECT_NE(observers[1].second, nullptr);
}

TEST_F(Chain, DerivedSpecsMayComeBeforeTheirSources) {
  DerivedQuantizationSpec derived;
  derived.derived_from = {EdgeOrNode(c)};
  derived.derive_qparams_fn = [](std::span<const std::shared_ptr<Observer>> sources) {
    return sources[0]->calculate_qparams();
  };
  annotation_of(a).output_qspec = derived;
  annotation_of(c).output_qspec = int8_spec();
  const ObserverMap observers = build_observers(AnnotatedPlaces(*graph));
  EXPECT_EQ(observers[0].second->kind(), "DerivedObserverOrFakeQuantize");
}

TEST_F(Chain, RefusesToShareWithAPlaceWithoutSpec) {
  b.meta.set("stack_trace", "File \"model.py\", line 12, in forward\n    return relu(x)");
  annotation_of(b).set_input_qspec(a, SharedQuantizationSpec{a});
  const std::string message = error_of(*graph);
  EXPECT_NE(
      message.find("edge 'a' (aten.neg.default) -> 'b' (aten.relu.default) at model.py:12 in forward: shares with the "
                   "output of 'a' (aten.neg.default), which has no spec"),
      std::string::npos)
      << message;
  EXPECT_NE(message.find("remedy: give 'a' an output_qspec"), std::string::npos) << message;
}

TEST_F(Chain, RefusesSharingInACircle) {
  annotation_of(a).output_qspec = SharedQuantizationSpec{b};
  annotation_of(b).output_qspec = SharedQuantizationSpec{a};
  const std::string message = error_of(*graph);
  EXPECT_NE(message.find("circle: 'a' (aten.neg.default) -> 'b' (aten.relu.default) -> 'a'"), std::string::npos)
      << message;
}

TEST_F(Chain, RefusesAnEdgeThatDoesNotExist) {
  annotation_of(b).set_input_qspec(x, int8_spec());
  EXPECT_NE(error_of(*graph).find("gives a spec to 'x', which it does not read; it reads 'a'"), std::string::npos);
}

TEST_F(Chain, RefusesAnErasedNode) {
  Node& gone = graph->call_function("aten.neg.default", {x});
  annotation_of(b).output_qspec = SharedQuantizationSpec{gone};
  graph->erase(gone);
  EXPECT_NE(error_of(*graph).find("which is no longer in the graph"), std::string::npos);
}

TEST_F(Chain, RefusesContradictoryBoundsAndAxes) {
  annotation_of(b).output_qspec = int8_spec(128);
  EXPECT_NE(error_of(*graph).find("quant_min 128 is greater than quant_max 127"), std::string::npos);
  QuantizationSpec per_channel = int8_spec();
  per_channel.qscheme = QScheme::per_channel_symmetric;
  per_channel.ch_axis = 2;
  annotation_of(b).output_qspec = per_channel;
  EXPECT_NE(error_of(*graph).find("along axis 2 of a tensor with 2 dimensions"), std::string::npos);
}

TEST_F(Chain, RefusesDerivedSpecsThatDependOnThemselves) {
  DerivedQuantizationSpec derived;
  derived.derive_qparams_fn = [](auto) { return QParams{}; };
  derived.derived_from = {EdgeOrNode(b)};
  annotation_of(b).output_qspec = derived;
  EXPECT_NE(error_of(*graph).find("depends on itself"), std::string::npos);
}

TEST_F(Chain, RefusesFixedScalesThatAreNotPositive) {
  FixedQParamsQuantizationSpec fixed;
  fixed.scale = 0;
  annotation_of(b).output_qspec = fixed;
  EXPECT_NE(error_of(*graph).find("expected more than 0"), std::string::npos);
}

TEST(Sharing, IsTransitiveOverAChainOfCats) {
  auto graph = parse_graph(R"(
graph(x: f32[1, 4], y: f32[1, 4]) {
  %cat: f32[1, 8] = aten.cat.default([%x, %y], 1)
  %cat_1: f32[1, 12] = aten.cat.default([%cat, %x], 1)
  return (%cat_1)
})");
  for (const char* name : {"cat", "cat_1"}) {
    Node& cat = *graph->find(name);
    const auto pieces = cat.inputs();
    annotation_of(cat).set_input_qspec(*pieces[0], int8_spec());
    annotation_of(cat).set_input_qspec(*pieces[1], SharedQuantizationSpec{{*pieces[0], cat}});
    annotation_of(cat).output_qspec = SharedQuantizationSpec{{*pieces[0], cat}};
  }
  EXPECT_EQ(groups_of(*graph), "x->cat y->cat cat cat->cat_1 x->cat_1 cat_1");
}

TEST(Sharing, TakesATensorUsedTwiceAsOneEdge) {
  auto graph = parse_graph(R"(
graph(x: f32[1, 4]) {
  %add: f32[1, 4] = aten.add.Tensor(%x, %x)
  return (%add)
})");
  Node& add = *graph->find("add");
  annotation_of(add).set_input_qspec(*graph->find("x"), int8_spec());
  EXPECT_EQ(groups_of(*graph), "x->add");
}

}  // namespace
}  // namespace qdq
