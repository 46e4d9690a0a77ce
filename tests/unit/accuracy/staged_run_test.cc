#include "accuracy/staged_run.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

const ExecutorOptions kReference = {.kind = ExecutorOptions::Kind::reference};
const CalibrationBatches kBatches = {{Tensor::from<float>({1, -2}, {2})}, {Tensor::from<float>({3, 4}, {2})}};

std::vector<float> values(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.numel()};
}

TEST(StagedRun, SeesAttributesThatChangeOnTheWay) {
  Program program = parse_program(R"(graph(x: f32[2]) {
  %w: f32[] = get_attr @w
  %twice: f32[] = aten.mul.Tensor(%w, 2.0)
  %a: f32[2] = aten.mul.Tensor(%x, %twice)
  %b: f32[2] = aten.neg.default(%a)
  %c: f32[2] = aten.mul.Tensor(%b, %twice)
  return (%c)
})");
  program.attributes.add({"w", AttributeKind::parameter, Tensor::scalar(1.0F), true, false, ""});
  StagedRun run(program, kBatches, kReference);
  run.before("c");
  EXPECT_EQ(values(run.values("b")[1]), (std::vector<float>{-6, -8}));
  program.attributes.find("w")->value = Tensor::scalar(5.0F);
  run.through("c");
  EXPECT_EQ(values(run.values("c")[0]), (std::vector<float>{-20, 40}));  // what depends on no input is computed again
}

TEST(StagedRun, KnowsWhatAnOpWroteInPlace) {
  const Program program = parse_program(R"(graph(x: f32[2]) {
  %a: f32[2] = aten.neg.default(%x)
  %relu: f32[2] = aten.relu_.default(%a)
  %b: f32[2] = aten.neg.default(%relu)
  %c: f32[2] = aten.add.Tensor(%b, %a)
  return (%c)
})");
  StagedRun run(program, kBatches, kReference);
  run.through("a");
  run.through("relu");
  run.through("c");
  EXPECT_EQ(values(run.values("c")[0]),
            (std::vector<float>{0, 0}));  // -relu(-x) + relu(-x): the sum reads what was written
}

TEST(StagedRun, TakesSizesAlong) {
  const Program program = parse_program(R"(graph(x: f32[s0, 2]) {
  %size: symint(s0) = aten.sym_size.int(%x, 0)
  %a: f32[s0, 2] = aten.neg.default(%x)
  %b: f32[s0, 2] = aten.view.default(%a, [%size, 2])
  return (%b)
})");
  StagedRun run(program, {{Tensor::from<float>({1, 2}, {1, 2})}}, kReference);
  run.through("a");
  run.through("b");
  EXPECT_EQ(values(run.values("b")[0]), (std::vector<float>{-1, -2}));
}

const char* const kBesideALayer = R"(graph(x: f32[1, 2], w: f32[2, 2]) {
  %layer: f32[1, 2] = aten.linear.default(%x, %w)
  %minus: f32[1, 2] = aten.neg.default(%x)
  %twice: f32[1, 2] = aten.mul.Tensor(%minus, 2.0)
  %behind: f32[1, 2] = aten.neg.default(%layer)
  %sum: f32[1, 2] = aten.add.Tensor(%behind, %twice)
  return (%sum)
})";
const CalibrationBatches kWithWeights = {
    {Tensor::from<float>({1, -2}, {1, 2}), Tensor::from<float>({1, 1, 0, 1}, {2, 2})}};

TEST(StagedRun, LooksAheadAtWhatNeedsNoLayer) {
  const Program program = parse_program(kBesideALayer);
  StagedRun run(program, kWithWeights, kReference);
  run.before("layer");
  EXPECT_EQ(values(run.values_ahead("twice")[0]), (std::vector<float>{-2, 4}));
  EXPECT_EQ(values(run.values_ahead("x")[0]), (std::vector<float>{1, -2}));
  run.through("sum");
  EXPECT_EQ(values(run.values("sum")[0]), (std::vector<float>{-1, 6}));  // it runs as if nobody had looked
}

TEST(StagedRun, LooksAtNothingBehindALayerThatHasNotRun) {
  const Program program = parse_program(kBesideALayer);
  StagedRun run(program, kWithWeights, kReference);
  run.before("layer");
  EXPECT_TRUE(run.values_ahead("behind").empty());
  EXPECT_TRUE(run.values_ahead("sum").empty());
  run.through("layer");
  EXPECT_EQ(values(run.values_ahead("behind")[0]), (std::vector<float>{1, 2}));
}

TEST(StagedRun, DoesNotLookAheadAtWhatIsWrittenInPlace) {
  const Program program = parse_program(R"(graph(x: f32[2]) {
  %a: f32[2] = aten.neg.default(%x)
  %relu: f32[2] = aten.relu_.default(%a)
  return (%relu)
})");
  StagedRun run(program, kBatches, kReference);
  run.through("a");
  EXPECT_TRUE(run.values_ahead("relu").empty());
}

TEST(StagedRun, RefusesBatchesThatDoNotFit) {
  const Program program = parse_program("graph(x: f32[2], y: f32[2]) {\n  return (%x)\n}");
  EXPECT_THROW(StagedRun(program, kBatches, kReference), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
