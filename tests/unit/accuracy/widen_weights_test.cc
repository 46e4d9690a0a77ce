#include <gtest/gtest.h>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

std::shared_ptr<Observer> four_bits() {
  return per_channel_min_max_observer()(
      {.dtype = DType::int8, .qscheme = QScheme::per_channel_symmetric, .quant_min = -8, .quant_max = 7, .ch_axis = 0});
}

TEST(WidenWeights, GivesEightBitsToFirstAndLastLayersAndDepthwiseConvolutions) {
  Program program = parse_program(R"(graph(x: f32[1, 2, 4, 4]) {
  %w1: f32[2, 2, 1, 1] = get_attr @w1
  %w2: f32[2, 2, 1, 1] = get_attr @w2
  %w3: f32[2, 1, 3, 3] = get_attr @w3
  %w4: f32[2, 2, 1, 1] = get_attr @w4
  %o1: f32[2, 2, 1, 1] = call_module @o1(%w1)
  %o2: f32[2, 2, 1, 1] = call_module @o2(%w2)
  %o3: f32[2, 1, 3, 3] = call_module @o3(%w3)
  %o4: f32[2, 2, 1, 1] = call_module @o4(%w4)
  %first: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %o1)
  %relu: f32[1, 2, 4, 4] = aten.relu.default(%first)
  %middle: f32[1, 2, 4, 4] = aten.conv2d.default(%relu, %o2)
  %depthwise: f32[1, 2, 2, 2] = aten.conv2d.default(%middle, %o3, none, [1, 1], [0, 0], [1, 1], 2)
  %last: f32[1, 2, 2, 2] = aten.conv2d.default(%depthwise, %o4)
  %out: f32[1, 2, 2, 2] = aten.relu.default(%last)
  return (%out)
})");
  for (const char* name : {"w1", "w2", "w4"})
    program.attributes.add(
        {name, AttributeKind::parameter, Tensor::full(DType::float32, {2, 2, 1, 1}, 1.0), true, false, ""});
  program.attributes.add(
      {"w3", AttributeKind::parameter, Tensor::full(DType::float32, {2, 1, 3, 3}, 1.0), true, false, ""});
  PreparedProgram prepared(std::move(program),
                           {{"o1", four_bits()}, {"o2", four_bits()}, {"o3", four_bits()}, {"o4", four_bits()}});
  EXPECT_EQ(widen_weights(prepared).changed, 3);
  const auto greatest = [&](const char* name) { return prepared.observers().at(name)->quant_max(); };
  EXPECT_EQ(greatest("o1"), 127);
  EXPECT_EQ(greatest("o2"), 7);
  EXPECT_EQ(greatest("o3"), 127);
  EXPECT_EQ(greatest("o4"), 127);
  EXPECT_EQ(prepared.observers().at("o1")->kind(), "PerChannelMinMaxObserver");
  EXPECT_EQ(prepared.observers().at("o1")->quant_min(), -127);
  EXPECT_EQ(widen_weights(prepared).changed, 0);
}

}  // namespace
}  // namespace qdq
