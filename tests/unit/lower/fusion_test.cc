#include "lower_testing.h"

namespace qdq::lower::testing {
namespace {

using Kinds = std::vector<std::string>;
const Shape kSizes = {2, 3, 7, 5};

Node& batch_norm(TestProgram& t, Node& x, std::int64_t channels) {
  Node& gamma = t.weight("gamma", random_tensor({channels}, 11, 0.5f, 1.5f));
  Node& beta = t.weight("beta", random_tensor({channels}, 12));
  Node& mean = t.weight("mean", random_tensor({channels}, 13));
  Node& variance = t.weight("variance", random_tensor({channels}, 14, 0.5f, 2.0f));
  return t.g.call_function("aten.batch_norm.default", {x, gamma, beta, mean, variance, false, 0.1, 1e-5, true});
}

TEST(FuseActivation, PutsReluIntoTheConvolution) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
  t.output({&t.g.call_function("aten.relu.default", {conv})});
  const Tensor x = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {x}), Kinds{"convolution"});
  expect_like_reference(t.program, {x});
}

TEST(FuseActivation, EveryActivationGivesTheReferenceResult) {
  for (const char* target :
       {"aten.relu6.default", "aten.hardswish.default", "aten.hardsigmoid.default", "aten.sigmoid.default",
        "aten.silu.default", "aten.tanh.default", "aten.gelu.default", "aten.leaky_relu.default",
        "aten.hardtanh.default", "aten.relu_.default", "aten.silu_.default"}) {
    TestProgram t;
    Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
    t.output({&t.g.call_function(target, {conv})});
    const Tensor x = random_tensor(kSizes, 5);
    EXPECT_EQ(step_kinds(t.program, {x}), Kinds{"convolution"}) << target;
    SCOPED_TRACE(target);
    expect_like_reference(t.program, {x});
  }
}

TEST(FuseActivation, NotWhenTheConvolutionHasOtherUsers) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
  Node& relu = t.g.call_function("aten.relu.default", {conv});
  t.output({&conv, &relu});
  std::vector<Graph::Note> notes;
  const Tensor x = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {x}, &notes), (Kinds{"convolution", "unary"}));
  EXPECT_EQ(only_reason(notes), "its value has other users");
  expect_like_reference(t.program, {x});
}

TEST(FuseActivation, NotWhenTheValueIsKept) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
  t.output({&t.g.call_function("aten.relu.default", {conv})});
  std::vector<Graph::Note> notes;
  EXPECT_EQ(step_kinds(t.program, {random_tensor(kSizes, 5)}, &notes, conv.name()), (Kinds{"convolution", "unary"}));
  EXPECT_EQ(only_reason(notes), "its value is kept");
}

TEST(FuseActivation, NotAcrossAnObserver) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
  Node& observer = t.g.call_module("observer_0", {conv});
  t.output({&t.g.call_function("aten.relu.default", {observer})});
  EXPECT_EQ(step_kinds(t.program, {random_tensor(kSizes, 5)}), (Kinds{"convolution", "observe", "unary"}));
}

TEST(FuseAddition, AddsTheSkipConnectionInsideTheSecondConvolution) {
  TestProgram t;
  Node& x = t.input("x", kSizes);
  Node& first = t.conv(x, 3, 3, 1);
  Node& skip = t.conv(x, 3, 3, 3);
  Node& sum = t.g.call_function("aten.add.Tensor", {skip, first});
  t.output({&t.g.call_function("aten.relu.default", {sum})});
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), (Kinds{"convolution", "convolution"}));
  expect_like_reference(t.program, {input});
}

TEST(FuseAddition, NotWhenTheSumIsWeighted) {
  TestProgram t;
  Node& x = t.input("x", kSizes);
  Node& conv = t.conv(x, 3, 3, 1);
  t.output({&t.g.call_function("aten.add.Tensor", {conv, x}, {{"alpha", Argument(2)}})});
  std::vector<Graph::Note> notes;
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {input}, &notes), (Kinds{"convolution", "binary"}));
  EXPECT_EQ(only_reason(notes), "the sum is weighted");
  expect_like_reference(t.program, {input});
}

TEST(FuseAddition, NotWhenTheOtherSummandIsBroadcast) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 3, 1);
  Node& other = t.weight("other", random_tensor({3, 1, 1}, 9));
  t.output({&t.g.call_function("aten.add.Tensor", {conv, other})});
  std::vector<Graph::Note> notes;
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {input}, &notes), (Kinds{"convolution", "binary"}));
  EXPECT_EQ(only_reason(notes), "the summands differ in size or type");
  expect_like_reference(t.program, {input});
}

TEST(FuseAddition, NotWhenAValueIsAddedToItself) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 3, 1);
  t.output({&t.g.call_function("aten.add.Tensor", {conv, conv})});
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), (Kinds{"convolution", "binary"}));
  expect_like_reference(t.program, {input});
}

TEST(FoldBatchNorm, ScalesTheWeightsOfTheConvolution) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
  t.output({&t.g.call_function("aten.relu_.default", {batch_norm(t, conv, 4)})});
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), Kinds{"convolution"});
  expect_like_reference(t.program, {input});
}

TEST(FoldBatchNorm, ScalesTheOutputChannelsOfATransposedConvolution) {
  TestProgram t;
  Node& x = t.input("x", {2, 4, 5, 3});
  Node& w = t.weight("w", random_tensor({4, 3, 2, 2}, 1));
  Node& conv = t.g.call_function(
      "aten.conv_transpose2d.input",
      {x, w, Argument(), TestProgram::ints({2, 2}), TestProgram::ints({0, 0}), TestProgram::ints({0, 0}), 2});
  t.output({&batch_norm(t, conv, 6)});
  const Tensor input = random_tensor({2, 4, 5, 3}, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), Kinds{"deconvolution"});
  expect_like_reference(t.program, {input});
}

TEST(FoldBatchNorm, NotBehindAnActivation) {
  TestProgram t;
  Node& conv = t.conv(t.input("x", kSizes), 3, 4, 1);
  t.output({&batch_norm(t, t.g.call_function("aten.relu.default", {conv}), 4)});
  std::vector<Graph::Note> notes;
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(step_kinds(t.program, {input}, &notes), (Kinds{"convolution", "binary", "binary"}));
  EXPECT_EQ(only_reason(notes), "the convolution's result is changed before the batch norm");
  expect_like_reference(t.program, {input});
}

// softmax(query key / 2 + mask) value on [batch, heads, positions, width], spelled out; returns the scaled scores.
Node& spelled_out_attention(TestProgram& t, const Shape& sizes, Node& mask) {
  Node& query = t.input("query", sizes);
  Node& key = t.g.call_function("aten.transpose.int", {t.input("key", sizes), -2, -1});
  Node& value = t.input("value", sizes);
  Node& scores = t.g.call_function("aten.matmul.default", {query, key});
  Node& half = t.weight("half", Tensor::full(DType::float32, {}, 0.5));
  Node& scaled = t.g.call_function("aten.mul.Tensor", {scores, half});
  Node& masked = t.g.call_function("aten.add.Tensor", {scaled, mask});
  Node& dropout =
      t.g.call_function("aten.dropout.default", {t.g.call_function("aten.softmax.int", {masked, -1}), 0.1, false});
  t.output({&t.g.call_function("aten.matmul.default", {dropout, value})});
  return scaled;
}

TEST(FuseAttention, RunsSpelledOutAttentionAsOneStep) {
  const Shape sizes = {2, 3, 5, 8};
  TestProgram t;
  spelled_out_attention(t, sizes, t.input("mask", {2, 1, 1, 5}));
  const std::vector<Tensor> inputs = {random_tensor({2, 1, 1, 5}, 4), random_tensor(sizes, 1), random_tensor(sizes, 2),
                                      random_tensor(sizes, 3)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "attention"), 1);
  for (const char* kind : {"batched_matmul", "binary", "softmax"})
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), kind), 0) << kind;
  expect_like_reference(t.program, inputs);
}

TEST(FuseAttention, NotWhenTheScoresAreKept) {
  const Shape sizes = {2, 3, 5, 8};
  TestProgram t;
  Node& mask = t.input("mask", {2, 1, 1, 5});
  const Node& scaled = spelled_out_attention(t, sizes, mask);
  const std::vector<Tensor> inputs = {random_tensor({2, 1, 1, 5}, 4), random_tensor(sizes, 1), random_tensor(sizes, 2),
                                      random_tensor(sizes, 3)};
  const Kinds kinds = step_kinds(t.program, inputs, nullptr, scaled.name());
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "batched_matmul"), 2);
}

}  // namespace
}  // namespace qdq::lower::testing
