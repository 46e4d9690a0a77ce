// Linear layers on values whose scale each run chooses.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

// Quantizes `x` with a scale and zero point that each run chooses.
Node& dynamically(TestProgram& t, Node& x, DType dtype) {
  const std::int64_t low = dtype == DType::int8 ? -128 : 0;
  Node& chosen =
      t.g.call_function("quantized_decomposed.choose_qparams.tensor", {x, low, low + 255, 1e-6, Argument(dtype)});
  Node& scale = t.g.call_function("operator.getitem", {chosen, 0});
  Node& zero_point = t.g.call_function("operator.getitem", {chosen, 1});
  Node& q = t.g.call_function("quantized_decomposed.quantize_per_tensor.tensor",
                              {x, scale, zero_point, low, low + 255, Argument(dtype)});
  return t.g.call_function("quantized_decomposed.dequantize_per_tensor.tensor",
                           {q, scale, zero_point, low, low + 255, Argument(dtype)});
}

TEST_P(Int8Lowering, LinearLayersOfADynamicallyQuantizedValueRunOnBytes) {
  Node& x = t.input("x", {2, 3, 10});
  const Weight a = weight({7, 10}, 1), b = weight({70, 10}, 11);
  Node& dq = dynamically(t, x, GetParam());
  t.output({&t.g.call_function("aten.linear.default", {dq, *a.node, *a.bias_node}),
            &t.g.call_function("aten.linear.default", {dq, *b.node})});
  Tensor input = random_tensor({2, 3, 10}, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), (Kinds{"int8", "int8", "int8"}));
  expect_like_reference(t.program, {input});
  const auto fast = make_fast_executor(t.program, {.threads = 1});
  fast->run({input});
  input = random_tensor({2, 3, 10}, 6, -20.0f, 9.0f);  // another scale
  EXPECT_TRUE(bit_equal(fast->run({input})[0], run(input)));
  expect_like_reference(t.program, {input});
  input.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(run(input).data<float>()[0]));
}

TEST_P(Int8Lowering, ADynamicallyQuantizedValueThatOthersReadStaysInFloat) {
  Node& x = t.input("x", {3, 10});
  const Weight w = weight({7, 10}, 1);
  Node& dq = dynamically(t, x, GetParam());
  t.output({&t.g.call_function("aten.linear.default", {dq, *w.node}), &t.g.call_function("aten.neg.default", {dq})});
  expect_like_reference(t.program, {random_tensor({3, 10}, 5)});
}

}  // namespace
}  // namespace qdq::lower::testing
