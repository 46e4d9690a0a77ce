// Sums and products of quantized values on the int8 engine.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

TEST_P(Int8Lowering, SumsOfTwoQuantizedValues) {
  Node& x = t.input("x", kSizes);
  Node& sum = t.g.call_function("aten.add.Tensor", {through(x, kIn), through(x, {0.05, 30})});
  t.output({&quantize(t.g.call_function("aten.relu.default", {sum}), kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  const Tensor wanted = integer::add(quantized(input, kIn), quantized(input, {0.05, 30}), kSizes,
                                     result(kOut, {0.0, std::numeric_limits<double>::infinity()}));
  EXPECT_TRUE(bit_equal(run(input), wanted));
  expect_one_step(input);
}

// A gate for each channel, as squeeze and excitation makes it.
TEST_P(Int8Lowering, ProductsWithAValueForEachChannel) {
  Node &x = t.input("x", kSizes), &gate = t.input("gate", {2, 8, 1, 1});
  const Weight w = weight({8, 8, 3, 3}, 1);
  Node& pixels = through(conv(through(x, kIn), w), kOut);
  Node& product = t.g.call_function("aten.mul.Tensor", {pixels, through(gate, {1.0 / 255, 3})});
  t.output({&quantize(t.g.call_function("aten.relu.default", {product}), {0.02, 100})});
  const std::vector<Tensor> inputs = {random_tensor(kSizes, 5), random_tensor({2, 8, 1, 1}, 6, 0.0f, 1.0f)};
  const Kinds kinds = step_kinds(t.program, inputs);
  for (const char* kind : {"binary", "dequantize"}) EXPECT_EQ(std::count(kinds.begin(), kinds.end(), kind), 0) << kind;
  const integer::Quantized left = {
      integer::convolution(quantized(inputs[0], kIn), w.value, w.bias, kConv, kSizes, result(kOut)), grid(kOut)};
  const Tensor wanted = integer::multiply(left, quantized(inputs[1], {1.0 / 255, 3}), kSizes,
                                          result({0.02, 100}, {0.0, std::numeric_limits<double>::infinity()}));
  EXPECT_TRUE(bit_equal(make_fast_executor(t.program, {.threads = 1})->run(inputs)[0], wanted));
}

TEST_P(Int8Lowering, SumsAndProductsWithQuantizedConstants) {
  const Shape sizes = {2, 5, 24};
  Node& x = t.input("x", sizes);
  const Tensor positions = random_tensor({1, 5, 24}, 1), factors = random_tensor({24}, 2);
  const integer::Quantized p = quantized(positions, {0.03, 100}), f = quantized(factors, {0.04, 120});
  Node& position = dequantize(t.weight("positions", p.values), {0.03, 100});
  Node& factor = dequantize(t.weight("factors", f.values), {0.04, 120});
  Node& sum = t.g.call_function("aten.add.Tensor", {position, through(x, kIn)});
  t.output({&quantize(t.g.call_function("aten.mul.Tensor", {through(sum, kOut), factor}), {0.05, 110})});
  const Tensor input = random_tensor(sizes, 5);
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 0);
  EXPECT_TRUE(notes.empty());
  const integer::Quantized summed = {integer::add(p, quantized(input, kIn), sizes, result(kOut)), grid(kOut)};
  EXPECT_TRUE(bit_equal(run(input), integer::multiply(summed, f, sizes, result({0.05, 110}))));
}

TEST_P(Int8Lowering, SumsAndProductsWithAConstantOfOneElementAreTables) {
  Node& x = t.input("x", kSizes);
  const integer::Quantized factor = quantized(random_tensor({1}, 1), {0.03, 100}),
                           summand = quantized(random_tensor({1, 1}, 2), {0.04, 120});
  Node& product = t.g.call_function("aten.mul.Tensor",
                                    {dequantize(t.weight("factor", factor.values), {0.03, 100}), through(x, kIn)});
  Node& sum = t.g.call_function("aten.add.Tensor",
                                {through(product, kOut), dequantize(t.weight("summand", summand.values), {0.04, 120})});
  t.output({&quantize(t.g.call_function("aten.relu.default", {sum}), {0.05, 110})});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Tensor> inputs = {input};
  Shared shared(t.program);
  prepare_state(shared);
  const Specialisation made = specialise(shared, bind_inputs(t.program, inputs));
  const auto& steps = made.plan->steps();
  EXPECT_EQ(std::count_if(steps.begin(), steps.end(), [](const auto& step) { return step.kind == "int8:table"; }), 2);
  const integer::Quantized scaled = {integer::multiply(factor, quantized(input, kIn), kSizes, result(kOut)),
                                     grid(kOut)};
  EXPECT_TRUE(bit_equal(run(input), integer::add(scaled, summand, kSizes,
                                                 result({0.05, 110}, {0.0, std::numeric_limits<double>::infinity()}))));
}

TEST_P(Int8Lowering, SumsWithBothSidesBroadcast) {
  Node &x = t.input("x", {2, 1, 7}), &y = t.input("y", {5, 1});
  t.output({&quantize(t.g.call_function("aten.add.Tensor", {through(x, kIn), through(y, kOut)}), {0.05, 110})});
  const std::vector<Tensor> inputs = {random_tensor({2, 1, 7}, 5), random_tensor({5, 1}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 0);
  EXPECT_TRUE(
      bit_equal(make_fast_executor(t.program, {.threads = 1})->run(inputs)[0],
                integer::add(quantized(inputs[0], kIn), quantized(inputs[1], kOut), {2, 5, 7}, result({0.05, 110}))));
}

TEST_P(Int8Lowering, AProductWrittenIntoADequantizedValue) {
  Node& x = t.input("x", kSizes);
  Node& product = t.g.call_function("aten.mul_.Tensor", {through(x, kIn), through(x, kOut)});
  t.output({&quantize(product, {0.02, 100})});
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(steps_between(input, 1), GetParam() == DType::int8 ? 2 : 1);  // one more flip of an input
  EXPECT_TRUE(bit_equal(run(input),
                        integer::multiply(quantized(input, kIn), quantized(input, kOut), kSizes, result({0.02, 100}))));
}

TEST_P(Int8Lowering, SumsFarBeyondTheirGridStayInFloat) {
  Node& x = t.input("x", kSizes);
  Node& sum = t.g.call_function("aten.add.Tensor", {through(x, kIn), through(x, kOut)});
  t.output({&quantize(sum, {1e-12, 100})});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "its results are far beyond the range of their grid");
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, ProductsWithAFloatValueStayInFloat) {
  Node& x = t.input("x", kSizes);
  t.output({&quantize(t.g.call_function("aten.mul.Tensor", {through(x, kIn), x}), kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "only one of its operands is quantized");
  expect_one_step(input);
}

TEST_P(Int8Lowering, SumsWithAValueOf16BitsStayInFloatAndSayWhy) {
  Node& x = t.input("x", kSizes);
  const Argument::List wide = {x, 0.001, 0, -32768, 32767, Argument(DType::int16)};
  Node& q = t.g.call_function("quantized_decomposed.quantize_per_tensor.default", wide);
  Argument::List back = wide;
  back[0] = Argument(q);
  Node& dq = t.g.call_function("quantized_decomposed.dequantize_per_tensor.default", back);
  Node& sum = t.g.call_function("aten.add.Tensor", {through(x, kIn), dq});
  t.output({&quantize(t.g.call_function("aten.tanh.default", {dq}), kOut), &quantize(sum, kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  ASSERT_EQ(notes.size(), 2U);
  for (const Graph::Note& note : notes) EXPECT_EQ(note.reason, "it reads a value of 16 bits, the engine takes 8");
  expect_one_step(input);
}

TEST_P(Int8Lowering, ASumWrittenIntoADequantizedValueIsNoLongerOnItsGrid) {
  Node& x = t.input("x", kSizes);
  Node& sum = t.g.call_function("aten.add_.Tensor", {through(x, kIn), x});
  t.output({&quantize(sum, kIn)});
  expect_like_reference(t.program, {random_tensor(kSizes, 5)}, 0.0);
}

}  // namespace
}  // namespace qdq::lower::testing
