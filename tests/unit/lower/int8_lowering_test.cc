// Programs with quantize and dequantize nodes on the int8 engine: which steps they become, their bits against the integer reference and
// their distance from the float graph.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

TEST_P(Int8Lowering, ProductsOfTwoActivations) {
  Node& x = t.input("x", {2, 5, 12});
  Node& turned = t.g.call_function("aten.transpose.int", {x, 1, 2});
  Node& product = t.g.call_function("aten.bmm.default", {through(x, kIn), through(turned, {0.03, 100})});
  t.output({&quantize(product, {0.2, 60})});
  const Tensor input = random_tensor({2, 5, 12}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "batched_matmul"), 0);
  const Tensor other = input.permute(std::array<std::int64_t, 3>{0, 2, 1}).contiguous();
  const Tensor wanted = integer::matmul(quantized(input, kIn), quantized(other, {0.03, 100}), result({0.2, 60}));
  EXPECT_TRUE(bit_equal(run(input), wanted));
  expect_one_step(input);
}

TEST_P(Int8Lowering, MeansOverPositions) {
  Node& x = t.input("x", {2, 5, 24});
  Node& mean = t.g.call_function("aten.mean.dim", {through(x, kIn), P::ints({1})});
  t.output({&quantize(mean, kOut)});
  const Tensor input = random_tensor({2, 5, 24}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  const Tensor turned = input.permute(std::array<std::int64_t, 3>{0, 2, 1}).contiguous();
  const Tensor wanted =
      integer::average_pool(quantized(turned, kIn), {{5}, {5}, {0}, {1}, false}, true, {2, 24, 1}, result(kOut));
  EXPECT_TRUE(bit_equal(run(input), wanted.reshape({2, 24})));
  expect_one_step(input);
}

TEST_P(Int8Lowering, SumsAndProductsWithANumberAreTables) {
  Node& x = t.input("x", kSizes);
  Node& sum = through(t.g.call_function("aten.add.Tensor", {through(x, kIn), 0.3}), kOut);
  Node& product = through(t.g.call_function("aten.mul.Tensor", {sum, -2}), {0.05, 128});
  Node& quotient = through(t.g.call_function("aten.div.Tensor", {product, 6}), {0.004, 110});
  t.output({&quantize(t.g.call_function("aten.sub.Scalar", {quotient, 0.5}), {0.03, 120})});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  EXPECT_TRUE(notes.empty());
  EXPECT_EQ(steps_between(input, 1), 4);
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, PoolsAndMeans) {
  Node& x = t.input("x", {2, 8, 8, 6});
  Node& largest = t.g.call_function("aten.max_pool2d.default",
                                    {through(x, kIn), P::ints({3, 3}), P::ints({2, 2}), P::ints({1, 1})});
  Node& average = t.g.call_function("aten.avg_pool2d.default", {through(largest, kIn), P::ints({2, 3})});
  Node& mean = t.g.call_function("aten.mean.dim", {through(average, kOut), P::ints({-1, -2})});
  t.output({&quantize(mean, {0.03, 80})});
  const Tensor input = random_tensor({2, 8, 8, 6}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "int8"), 3 + (GetParam() == DType::int8 ? 2 : 0));
  const Tensor pooled = integer::max_pool(quantized(input, kIn), {{3, 3}, {2, 2}, {1, 1}, {1, 1}, false}, {2, 8, 4, 3});
  const Tensor averaged = integer::average_pool({pooled, grid(kIn)}, {{2, 3}, {2, 3}, {0, 0}, {1, 1}, false}, true,
                                                {2, 8, 2, 1}, result(kOut));
  const Tensor wanted = integer::average_pool({averaged, grid(kOut)}, {{2, 1}, {2, 1}, {0, 0}, {1, 1}, false}, true,
                                              {2, 8, 1, 1}, result({0.03, 80}));
  EXPECT_TRUE(bit_equal(run(input), wanted.reshape({2, 8})));
}

TEST_P(Int8Lowering, FunctionsOfOneValueAreTablesWithTheFloatGraphsBits) {
  Node& x = t.input("x", kSizes);
  Node& q = through(x, kIn);
  Node& act = t.g.call_function("aten.hardswish.default", {q});
  Node& other = through(t.g.call_function("aten.sigmoid.default", {through(act, kOut)}), {1.0 / 256, 0});
  t.output({&quantize(other, {0.01, 3})});  // a change of scale alone
  const Tensor input = random_tensor(kSizes, 5, -4.0f, 4.0f);
  EXPECT_EQ(step_kinds(t.program, {input}).size(), GetParam() == DType::int8 ? 6u : 4u);
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, KeptAndObservedValuesExist) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({4, 8, 3, 3}, 1);
  Node& dq = through(x, kIn);
  Node& c = conv(dq, w);
  Node& seen = t.g.call_module("observer", {t.g.call_function("aten.relu.default", {c})});
  Node& q = quantize(seen, kOut);
  t.output({&dequantize(q, kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  const auto fast = make_fast_executor(t.program, {.threads = 1});
  const auto simulated = make_fast_executor(t.program, {.threads = 1, .simulate_quantization = true});
  fast->keep_values({dq.name(), c.name(), q.name()});
  simulated->keep_values({dq.name(), c.name(), q.name()});
  Tensor observed;
  fast->set_observe([&](const std::string&, const Tensor& value) { observed = value.clone(); });
  fast->run({input});
  simulated->run({input});
  EXPECT_TRUE(bit_equal(*fast->kept_value(dq.name()), *simulated->kept_value(dq.name())));
  EXPECT_EQ(fast->kept_value(q.name())->dtype(), GetParam());
  ASSERT_NE(fast->kept_value(c.name()), nullptr);
  ASSERT_TRUE(observed.defined());
  EXPECT_EQ(observed.sizes(), (Shape{2, 4, 7, 5}));
}

TEST_P(Int8Lowering, SimulatingQuantizationGivesTheBitsOfTheFloatGraph) {
  Node& x = t.input("x", {3, 10});
  Node& sum = t.g.call_function("aten.add.Tensor", {through(x, kIn), through(x, {0.05, 30})});
  t.output({&quantize(sum, kOut)});
  const Tensor input = random_tensor({3, 10}, 5);
  const auto simulated = make_fast_executor(t.program, {.threads = 1, .simulate_quantization = true});
  EXPECT_TRUE(bit_equal(simulated->run({input})[0], make_reference_executor(t.program)->run({input})[0]));
}

TEST_P(Int8Lowering, ADequantizedValueThatIsWrittenToIsFloat) {
  Node& x = t.input("x", kSizes);
  Node& dq = through(x, kIn);
  Node& relu = t.g.call_function("aten.relu_.default", {dq});
  t.output({&quantize(t.g.call_function("aten.add.Tensor", {dq, relu}), kOut)});
  expect_like_reference(t.program, {random_tensor(kSizes, 5)}, 0.0);
}

TEST_P(Int8Lowering, BytesAreTheSameAtAnyNumberOfThreadsAndInForks) {
  Node& x = t.input("x", {1, 8, 40, 40});
  const Weight a = weight({70, 8, 3, 3}, 1), b = weight({8, 70, 3, 3}, 11);
  Node& first = through(t.g.call_function("aten.relu.default", {conv(through(x, kIn), a)}), kOut);
  t.output({&quantize(conv(first, b), {0.1, 128})});
  const Tensor input = random_tensor({1, 8, 40, 40}, 5);
  const auto one = make_fast_executor(t.program, {.threads = 1});
  const Tensor wanted = one->run({input})[0];
  EXPECT_TRUE(bit_equal(make_fast_executor(t.program, {.threads = 3})->run({input})[0], wanted));
  EXPECT_TRUE(bit_equal(one->fork()->run({input})[0], wanted));
}

INSTANTIATE_TEST_SUITE_P(Of, Int8Lowering, ::testing::Values(DType::uint8, DType::int8),
                         [](const auto& dtype) { return std::string(name(dtype.param)); });

}  // namespace
}  // namespace qdq::lower::testing
