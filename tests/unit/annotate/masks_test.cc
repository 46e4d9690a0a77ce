#include "annotate/masks.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

// "add: reason", a line for each op that should stay in float.
std::string left(const Program& program) {
  const auto reasons = ops_on_masks(program);
  std::string text;
  for (const Node& node : program.graph().nodes())
    if (const auto reason = reasons.find(&node); reason != reasons.end())
      text += node.name() + ": " + reason->second + "\n";
  return text;
}

TEST(OpsOnMasks, FindsAnAdditiveMaskAndWhatItSpoils) {
  const Program program = parse_program(R"(
graph(x: f32[1, 4, 4], mask: i64[1, 4]) {
  %to: f32[1, 4] = aten.to.dtype(%mask, torch.float32)
  %rsub: f32[1, 4] = aten.rsub.Scalar(%to, 1.0)
  %mul: f32[1, 4] = aten.mul.Tensor(%rsub, -1e9)
  %add: f32[1, 4, 4] = aten.add.Tensor(%x, %mul)
  %view: f32[4, 4] = aten.view.default(%add, [4, 4])
  %softmax: f32[4, 4] = aten.softmax.int(%view, -1)
  %mul_1: f32[4, 4] = aten.mul.Tensor(%softmax, %softmax)
  return (%mul_1)
})");
  EXPECT_EQ(left(program),
            "rsub: its input 'to' is a mask: computed from integers or booleans\n"
            "mul: its input 'rsub' is a mask: computed from integers or booleans\n"
            "add: its input 'mul' is a mask: computed from integers or booleans\n"
            "view: its input 'add' has values of magnitude 1000 or more, as masks have\n"
            "softmax: its input 'view' has values of magnitude 1000 or more, as masks have\n");
}

TEST(OpsOnMasks, FindsFilledInValues) {
  const Program program = parse_program(R"(
graph(x: f32[4], causal: b8[4], bound: f32[]) {
  %masked_fill: f32[4] = aten.masked_fill.Scalar(%x, %causal, -1e30)
  %add: f32[4] = aten.add.Tensor(%masked_fill, %x)
  %small: f32[4] = aten.masked_fill.Scalar(%x, %causal, 0.0)
  %add_1: f32[4] = aten.add.Tensor(%small, %x)
  return (%add, %add_1)
})");
  EXPECT_EQ(left(program), "add: its input 'masked_fill' has values of magnitude 1000 or more, as masks have\n");
}

TEST(OpsOnMasks, SearchesConstantsThatAreAdded) {
  const Program program = parse_program(R"(
attribute @causal: buffer f32[2] = [0.0, -10000.0]
attribute @position: parameter f32[2] = [0.5, -1.0]
graph(x: f32[2]) {
  %causal: f32[2] = get_attr @causal
  %position: f32[2] = get_attr @position
  %add: f32[2] = aten.add.Tensor(%x, %causal)
  %add_1: f32[2] = aten.add.Tensor(%x, %position)
  return (%add, %add_1)
})");
  EXPECT_EQ(left(program), "add: its input 'causal' has values of magnitude 1000 or more, as masks have\n");
}

TEST(OpsOnMasks, AnEmbeddingIsNoMask) {
  const Program program = parse_program(R"(
attribute @table: parameter f32[3, 2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
graph(ids: i64[4]) {
  %table: f32[3, 2] = get_attr @table
  %embedding: f32[4, 2] = aten.embedding.default(%table, %ids)
  %add: f32[4, 2] = aten.add.Tensor(%embedding, %embedding)
  return (%add)
})");
  EXPECT_EQ(left(program), "");
}

TEST(OpsOnMasks, PixelsAreNoMask) {
  const Program program = parse_program(R"(
attribute @w: parameter f32[1, 1, 1, 1] = [3.0]
graph(image: u8[1, 1, 4, 4], x: f32[1, 1, 4, 4]) {
  %w: f32[1, 1, 1, 1] = get_attr @w
  %to: f32[1, 1, 4, 4] = aten.to.dtype(%image, torch.float32)
  %div: f32[1, 1, 4, 4] = aten.div.Tensor(%to, 255.0)
  %conv: f32[1, 1, 4, 4] = aten.conv2d.default(%div, %w)
  %add: f32[1, 1, 4, 4] = aten.add.Tensor(%conv, %div)
  return (%add)
})");
  EXPECT_EQ(left(program), "");
}

TEST(OpsOnMasks, ALargeNumberThatScalesAnActivationIsAUnit) {
  const Program program = parse_program(R"(
graph(sound: f32[4]) {
  %mul: f32[4] = aten.mul.Tensor(%sound, 32768.0)
  %add: f32[4] = aten.add.Tensor(%mul, %mul)
  return (%add)
})");
  EXPECT_EQ(left(program), "");
}

}  // namespace
}  // namespace qdq
