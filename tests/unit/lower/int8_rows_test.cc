// LayerNorm and softmax with bytes at their edges.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

TEST_P(Int8Lowering, LayerNormAndSoftmaxHaveBytesAtTheirEdges) {
  Node& x = t.input("x", {2, 5, 24});
  Node &gamma = t.weight("gamma", random_tensor({24}, 1)), &beta = t.weight("beta", random_tensor({24}, 2));
  Node& norm = t.g.call_function("aten.layer_norm.default", {x, P::ints({24}), gamma, beta, 1e-5});
  Node& softmax = t.g.call_function("aten.softmax.int", {through(norm, {0.03, 120}), -1});
  Node& last = t.g.call_function("aten.layer_norm.default", {through(softmax, {1.0 / 255, 0}), P::ints({24})});
  t.output({&last});
  const Tensor input = random_tensor({2, 5, 24}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "quantize"), 0);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  const auto simulated = make_fast_executor(t.program, {.threads = 1, .simulate_quantization = true});
  EXPECT_TRUE(bit_equal(run(input), simulated->run({input})[0]));
}

// As in transformers that normalise before or behind their residual additions: the sum, the norm, both or neither have other readers.
TEST_P(Int8Lowering, SumsJoinTheLayerNormThatReadsThemFirst) {
  Node &x = t.input("x", {2, 5, 24}), &y = t.input("y", {2, 5, 24});
  Node &gamma = t.weight("gamma", random_tensor({24}, 1)), &beta = t.weight("beta", random_tensor({24}, 2));
  const auto quantized_norm = [&](bool sum_is_read, bool norm_is_read) -> Node& {
    Node& sum = t.g.call_function("aten.add.Tensor", {x, y});
    Node& norm = t.g.call_function("aten.layer_norm.default", {sum, P::ints({24}), gamma, beta, 1e-5});
    Node& bytes = through(norm, kOut);
    Node& other = t.g.call_function("aten.mul.Tensor", {sum_is_read ? sum : y, norm_is_read ? norm : y});
    return t.g.call_function("aten.mul.Tensor", {bytes, other});
  };
  t.output({&quantized_norm(false, false), &quantized_norm(false, true), &quantized_norm(true, false),
            &quantized_norm(true, true)});
  const std::vector<Tensor> inputs = {random_tensor({2, 5, 24}, 5), random_tensor({2, 5, 24}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "quantize"), 0);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 8);
  expect_bits_of_the_float_graph(inputs);
}

TEST_P(Int8Lowering, SumsStayStepsWhereAnotherReaderComesBeforeTheLayerNormOrTheNormRunsInFloat) {
  Node &x = t.input("x", {2, 5, 24}), &y = t.input("y", {2, 5, 24});
  Node& early = t.g.call_function("aten.add.Tensor", {x, y});
  Node& product = t.g.call_function("aten.mul.Tensor", {early, y});
  Node& late = t.g.call_function("aten.add.Tensor", {product, y});
  Node& first = t.g.call_function("aten.layer_norm.default", {early, P::ints({24})});
  Node& second = t.g.call_function("aten.layer_norm.default", {late, P::ints({24})});
  second.meta.set(kRunInFloat, "it is faster in float");
  t.output({&quantize(first, kOut), &quantize(second, kOut)});
  const std::vector<Tensor> inputs = {random_tensor({2, 5, 24}, 5), random_tensor({2, 5, 24}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 3);
  expect_bits_of_the_float_graph(inputs);
}

}  // namespace
}  // namespace qdq::lower::testing
