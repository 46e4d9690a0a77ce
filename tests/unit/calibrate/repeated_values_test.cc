#include "calibrate/repeated_values.h"

#include <gtest/gtest.h>

#include <limits>

#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// The repeated points of a program whose observation points a, b and c have one observer, and `other` another.
std::unordered_map<std::string, RepeatedValues> repeated(std::string_view text) {
  const Program program = parse_program(text);
  const std::shared_ptr<Observer> one = min_max_observer()(), other = min_max_observer()();
  std::map<std::string, std::shared_ptr<Observer>> observers;
  for (const Node& node : program.graph().nodes())
    if (node.kind() == NodeKind::call_module) observers[node.target()] = node.target() == "other" ? other : one;
  return find_repeated_values(program.graph(), observers);
}

TEST(RepeatedValues, AClampBetweenTwoPointsOfOneObserver) {
  const auto found = repeated(R"(graph(x: f32[4]) {
  %a: f32[4] = call_module @a(%x)
  %y: f32[4] = aten.hardtanh.default(%a, 0.0, 6.0)
  %b: f32[4] = call_module @b(%y)
  return (%b)
})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.at("b").low, 0.0f);
  EXPECT_EQ(found.at("b").high, 6.0f);
}

TEST(RepeatedValues, SeveralClampsAndViewsAreOneClamp) {
  const auto found = repeated(R"(graph(x: f32[4]) {
  %a: f32[4] = call_module @a(%x)
  %seen: f32[4] = call_module @other(%a)
  %y: f32[4] = aten.hardtanh.default(%seen, -2.0, 3.0)
  %z: f32[2, 2] = aten.view.default(%y, [2, 2])
  %r: f32[2, 2] = aten.relu.default(%z)
  %b: f32[2, 2] = call_module @b(%r)
  %t: f32[2, 2] = aten.transpose.int(%b, 0, 1)
  %c: f32[2, 2] = call_module @c(%t)
  return (%c)
})");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.at("b").low, 0.0f);
  EXPECT_EQ(found.at("b").high, 3.0f);
  EXPECT_EQ(found.at("c").low, -kInf);
  EXPECT_EQ(found.at("c").high, kInf);
}

TEST(RepeatedValues, InPlaceClampsCount) {
  EXPECT_TRUE(repeated(R"(graph(x: f32[4]) {
  %a: f32[4] = call_module @a(%x)
  %y: f32[4] = aten.relu_.default(%a)
  %b: f32[4] = call_module @b(%y)
  return (%b)
})")
                  .contains("b"));
}

TEST(RepeatedValues, NotBehindOtherOps) {
  for (const char* op : {"aten.exp.default(%a)", "aten.slice.Tensor(%a, 0, 0, 2)", "aten.expand.default(%a, [4])",
                         "aten.hardtanh.default(%a, 6.0, 0.0)"})
    EXPECT_TRUE(repeated(std::string("graph(x: f32[4]) {\n  %a: f32[4] = call_module @a(%x)\n  %y: f32[4] = ") + op +
                         "\n  %b: f32[4] = call_module @b(%y)\n  return (%b)\n}")
                    .empty())
        << op;
}

TEST(RepeatedValues, NotWhenTheObserverSawSomethingElseInBetween) {
  EXPECT_TRUE(repeated(R"(graph(x: f32[4], other_x: f32[4]) {
  %a: f32[4] = call_module @a(%x)
  %c: f32[4] = call_module @c(%other_x)
  %y: f32[4] = aten.relu.default(%a)
  %b: f32[4] = call_module @b(%y)
  return (%b, %c)
})")
                  .empty());
}

TEST(RepeatedValues, NotWhenMemoryIsWrittenInBetween) {
  EXPECT_TRUE(repeated(R"(graph(x: f32[4]) {
  %a: f32[4] = call_module @a(%x)
  %changed: f32[4] = aten.add_.Tensor(%x, 1.0)
  %y: f32[4] = aten.relu.default(%a)
  %b: f32[4] = call_module @b(%y)
  return (%b, %changed)
})")
                  .empty());
}

TEST(RepeatedValues, NotForWeightsWhichAreNotSeenInEveryRun) {
  Program program = parse_program(R"(graph() {
  %w: f32[4] = get_attr @w
  %a: f32[4] = call_module @a(%w)
  %y: f32[4] = aten.relu.default(%a)
  %b: f32[4] = call_module @b(%y)
  return (%b)
})");
  const std::shared_ptr<Observer> one = min_max_observer()();
  EXPECT_TRUE(find_repeated_values(program.graph(), {{"a", one}, {"b", one}}).empty());
}

TEST(RepeatedValues, NotWhenTheObserverStandsInASubgraphAsWell) {
  const Program program = parse_program(R"(graph(x: f32[4]) {
  %a: f32[4] = call_module @a(%x)
  %y: f32[4] = aten.relu.default(%a)
  %b: f32[4] = call_module @b(%y)
  return (%b)
})");
  const std::shared_ptr<Observer> one = min_max_observer()();
  EXPECT_TRUE(find_repeated_values(program.graph(), {{"a", one}, {"b", one}, {"elsewhere", one}}).empty());
}

// Counts how often it looked at a tensor.
class Counting : public Observer {
 public:
  std::string_view kind() const override { return "Counting"; }
  void observe(const Tensor&) override { ++looked; }
  bool observe_again(float low, float high) override {
    bounds.emplace_back(low, high);
    return known;
  }
  QParams calculate_qparams() const override { return {}; }

  int looked = 0;
  std::vector<std::pair<float, float>> bounds;
  bool known = true;
};

TEST(Calibrate, LooksOnlyAtValuesThatAreNotKnown) {
  for (const bool known : {true, false}) {
    const auto observer = std::make_shared<Counting>();
    observer->known = known;
    PreparedProgram prepared(parse_program(R"(graph(x: f32[2]) {
  %a: f32[2] = call_module @a(%x)
  %y: f32[2] = aten.hardtanh.default(%a, -1.0, 1.0)
  %b: f32[2] = call_module @b(%y)
  return (%b)
})"),
                             {{"a", observer}, {"b", observer}});
    prepared.calibrate({Tensor::from<float>({-3, 0.5f}, {2})});
    EXPECT_EQ(observer->looked, known ? 1 : 2);
    EXPECT_EQ(observer->bounds, (std::vector<std::pair<float, float>>{{-1.0f, 1.0f}}));
  }
}

}  // namespace
}  // namespace qdq
