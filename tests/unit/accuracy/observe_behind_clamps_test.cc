#include <gtest/gtest.h>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

PreparedProgram with_clamp(bool shared, const std::string& result) {
  Program program = parse_program(R"(graph(x: f32[4]) {
  %neg: f32[4] = aten.neg.default(%x)
  %before: f32[4] = call_module @before(%neg)
  %clamp: f32[4] = aten.hardtanh_.default(%before, 0.0, 6.0)
  %behind: f32[4] = call_module @behind(%clamp)
  return ()" + result + R"()
})");
  const auto observer = min_max_observer()({.dtype = DType::int8});
  return PreparedProgram(
      std::move(program),
      {{"before", observer}, {"behind", shared ? observer : min_max_observer()({.dtype = DType::int8})}});
}

TEST(ObserveBehindClamps, TakesTheObserverInFrontAway) {
  PreparedProgram prepared = with_clamp(true, "%behind");
  EXPECT_EQ(observe_behind_clamps(prepared).changed, 1);
  EXPECT_EQ(prepared.program().graph().find("before"), nullptr);
  EXPECT_EQ(prepared.program().graph().find("clamp")->input(0)->name(), "neg");
  prepared.set_executor({.kind = ExecutorOptions::Kind::reference});
  prepared.calibrate({Tensor::from<float>({40, -2, -50, 0}, {4})});
  EXPECT_EQ(observed_bounds(*prepared.observers().at("behind")), std::pair(0.0, 6.0));
}

TEST(ObserveBehindClamps, KeepsAnObserverOfItsOwn) {
  PreparedProgram prepared = with_clamp(false, "%behind");
  EXPECT_EQ(observe_behind_clamps(prepared).changed, 0);
  EXPECT_NE(prepared.program().graph().find("before"), nullptr);
}

TEST(ObserveBehindClamps, KeepsWhatOthersRead) {
  PreparedProgram prepared = with_clamp(true, "%behind, %before");
  EXPECT_EQ(observe_behind_clamps(prepared).changed, 0);
}

}  // namespace
}  // namespace qdq
