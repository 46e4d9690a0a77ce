#include "convert/observe_constants.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

constexpr const char* kLinear = R"(attribute @w: parameter f32[1, 2] = [1.0, -2.0]
graph(x: f32[1, 2]) {
  %w: f32[1, 2] = get_attr @w
  %t: f32[2, 1] = aten.t.default(%w)
  %obs_w: f32[2, 1] = call_module @obs_w(%t)
  %obs_x: f32[1, 2] = call_module @obs_x(%x)
  %mm: f32[1, 1] = aten.mm.default(%obs_x, %obs_w)
  return (%mm)
})";

std::shared_ptr<Observer> min_max(bool is_dynamic = false) {
  ObserverOptions options;
  options.dtype = DType::int8;
  options.is_dynamic = is_dynamic;
  if (is_dynamic) return placeholder_observer()(options);
  return min_max_observer()(options);
}

TEST(ObserveConstants, ShowsAWeightToItsObserverBehindOtherOps) {
  Program program = parse_program(kLinear);
  const auto weight = min_max();
  EXPECT_EQ(observe_constants(program, {{"obs_w", weight}, {"obs_x", min_max(true)}}, evaluate), 1);
  EXPECT_EQ(weight->save_state().find("min_val")->item(), -2.0);
  EXPECT_EQ(weight->save_state().find("max_val")->item(), 1.0);
}

TEST(ObserveConstants, LeavesAnObserverAloneThatHasSeenValues) {
  Program program = parse_program(kLinear);
  const auto weight = min_max();
  weight->observe(Tensor::from<float>({5.0f}, {1}));
  EXPECT_EQ(observe_constants(program, {{"obs_w", weight}, {"obs_x", min_max(true)}}, evaluate), 0);
  EXPECT_EQ(weight->save_state().find("min_val")->item(), 5.0);
}

TEST(ObserveConstants, RefusesAnActivationThatNobodyCalibrated) {
  Program program = parse_program(kLinear);
  try {
    observe_constants(program, {{"obs_w", min_max()}, {"obs_x", min_max()}}, evaluate);
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_EQ(std::string(error.what()),
              "[convert] 'x' (placeholder): its observer (MinMaxObserver) has seen no values\n"
              "  rule: static quantization chooses the scale of an activation from data\n"
              "  remedy: calibrate the prepared program on typical inputs before converting it, or give the place a "
              "dynamic spec");
  }
}

}  // namespace
}  // namespace qdq
