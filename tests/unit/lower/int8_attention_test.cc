// Attention on the int8 engine: of quantized products, and of quantized queries, keys and values.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

TEST_P(Int8Lowering, AttentionWithQuantizedProductsIsOneStep) {
  const Shape sizes = {2, 5, 3, 8};  // [batch, positions, heads, width]
  Node& x = t.input("x", sizes);
  Node& heads = t.g.call_function("aten.transpose.int", {x, 1, 2});
  Node& keys = t.g.call_function("aten.transpose.int", {heads, -2, -1});
  Node& mask = t.weight("mask", random_tensor({5, 5}, 3, -3.0f, 0.0f));
  TensorMeta meta;
  meta.dtype = DType::float32;
  meta.sizes = {5, 5};
  meta.strides = {5, 1};
  mask.type.v = meta;
  Node& scores = t.g.call_function("aten.matmul.default", {through(heads, kIn), through(keys, {0.03, 100})});
  Node& scaled = t.g.call_function("aten.div.Tensor", {scores, 2.0});
  Node& masked = t.g.call_function("aten.add.Tensor", {scaled, mask});
  Node& softmax = t.g.call_function("aten.softmax.int", {masked, -1});
  constexpr Scale kProbability = {1.0 / 255, 0};
  Node& sum = t.g.call_function("aten.matmul.default", {through(softmax, kProbability), through(heads, {0.02, 120})});
  Node& together = t.g.call_function("aten.transpose.int", {sum, 1, 2});
  Node& flat = t.g.call_function("aten.reshape.default", {together, P::ints({2, 5, 24})});
  t.output({&quantize(flat, kOut)});
  const Tensor input = random_tensor(sizes, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  for (const char* kind : {"softmax", "binary", "batched_matmul", "copy"})
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), kind), 0) << kind;
  const Tensor query = input.permute(std::array<std::int64_t, 4>{0, 2, 1, 3}).contiguous();
  const Tensor key = input.permute(std::array<std::int64_t, 4>{0, 2, 3, 1}).contiguous();
  const Tensor all_masks = Tensor::empty(DType::float32, {2, 3, 5, 5});
  const Tensor one_mask = random_tensor({5, 5}, 3, -3.0f, 0.0f);
  for (std::int64_t i = 0; i < all_masks.numel(); ++i)
    all_masks.data<float>()[i] = one_mask.data<float>()[i % one_mask.numel()];
  const Tensor wanted =
      integer::attention(quantized(query, kIn), quantized(key, {0.03, 100}), quantized(query, {0.02, 120}), 0.5,
                         all_masks, result(kProbability), result(kOut));
  EXPECT_TRUE(
      bit_equal(run(input), wanted.permute(std::array<std::int64_t, 4>{0, 2, 1, 3}).contiguous().reshape({2, 5, 24})));
  expect_one_step(input);
}

// [batch, positions, heads, width] to the operands of attention and back, as modules write it.
TEST_P(Int8Lowering, ScaledDotProductAttentionOfQuantizedValuesIsOneStep) {
  const Shape sizes = {2, 5, 3, 8};
  Node& x = t.input("x", sizes);
  Node& seen = t.input("seen", {2, 1, 1, 5}, DType::bool_);
  const auto heads = [&](const Scale& s) -> Node& {
    return t.g.call_function("aten.transpose.int", {through(x, s), 1, 2});
  };
  constexpr Scale kKey = {0.03, 100}, kValue = {0.02, 120};
  Node& attention =
      t.g.call_function("aten.scaled_dot_product_attention.default", {heads(kIn), heads(kKey), heads(kValue), seen});
  Node& together = t.g.call_function("aten.transpose.int", {attention, 1, 2});
  Node& flat = t.g.call_function("aten.reshape.default", {together, P::ints({2, 5, 24})});
  t.output({&quantize(flat, kOut)});
  const Tensor mask = Tensor::full(DType::bool_, {2, 1, 1, 5}, 1);
  mask.data<bool>()[2] = mask.data<bool>()[9] = false;
  const std::vector<Tensor> inputs = {random_tensor(sizes, 5), mask};
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, inputs, &notes);
  for (const char* kind : {"attention", "dequantize", "copy"})
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), kind), 0) << kind;
  EXPECT_TRUE(notes.empty());
  const Tensor turned = inputs[0].permute(std::array<std::int64_t, 4>{0, 2, 1, 3}).contiguous();
  const Tensor all_masks = Tensor::empty(DType::float32, {2, 3, 5, 5});
  for (std::int64_t i = 0; i < all_masks.numel(); ++i)
    all_masks.data<float>()[i] = mask.data<bool>()[i / 75 * 5 + i % 5] ? 0.0f : -std::numeric_limits<float>::infinity();
  const Tensor wanted =
      integer::scaled_dot_product_attention(quantized(turned, kIn), quantized(turned, kKey), quantized(turned, kValue),
                                            1 / std::sqrt(8.0), all_masks, false, result(kOut));
  const Tensor got = make_fast_executor(t.program, {.threads = 1})->run(inputs)[0];
  EXPECT_TRUE(bit_equal(got, wanted.permute(std::array<std::int64_t, 4>{0, 2, 1, 3}).contiguous().reshape({2, 5, 24})));
  const Tensor in_float = make_reference_executor(t.program)->run(inputs)[0];
  EXPECT_LE(largest_difference(got, in_float), 1);
}

TEST_P(Int8Lowering, CausalAttentionOfGroupedQueries) {
  Node &x = t.input("x", {2, 6, 7, 4}), &y = t.input("y", {2, 3, 7, 4});
  Node& attention = t.g.call_function("aten.scaled_dot_product_attention.default",
                                      {through(x, kIn), through(y, kIn), through(y, kOut), Argument(), 0.0, true});
  attention.set_kwargs({{"scale", 0.7}, {"enable_gqa", true}});
  t.output({&attention});
  const std::vector<Tensor> inputs = {random_tensor({2, 6, 7, 4}, 5), random_tensor({2, 3, 7, 4}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "attention"), 0);
  integer::Result to_float;
  to_float.dtype = DType::float32;
  const Tensor wanted = integer::scaled_dot_product_attention(quantized(inputs[0], kIn), quantized(inputs[1], kIn),
                                                              quantized(inputs[1], kOut), 0.7, {}, true, to_float);
  EXPECT_TRUE(bit_equal(make_fast_executor(t.program, {.threads = 1})->run(inputs)[0].contiguous(), wanted));
  expect_like_reference(t.program, inputs, 2e-5);
}

// Averages of many values vary little: their grid is far finer than that of the values.
TEST_P(Int8Lowering, AttentionOverManyKeysIsAStepFromTheFloatGraphAtMost) {
  Node& x = t.input("x", {1, 2, 300, 16});
  const auto attention = [&](double sharpness, double scale) {
    Node& node = t.g.call_function("aten.scaled_dot_product_attention.default",
                                   {through(x, kIn), through(x, kIn), through(x, kIn)});
    node.set_kwargs({{"scale", sharpness}});
    return &quantize(node, {scale, 128});
  };
  t.output({attention(0.1, 0.001), attention(1.0, 0.015), attention(8.0, 0.015)});
  const Tensor input = random_tensor({1, 2, 300, 16}, 5);
  const auto got = make_fast_executor(t.program, {.threads = 1})->run({input});
  const auto wanted = make_reference_executor(t.program)->run({input});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_LE(largest_difference(got[i], wanted[i]), 1) << i;
}

TEST_P(Int8Lowering, AttentionOfFloatKeysStaysInFloat) {
  Node& x = t.input("x", {1, 2, 7, 4});
  Node& attention =
      t.g.call_function("aten.scaled_dot_product_attention.default", {through(x, kIn), x, through(x, kOut)});
  t.output({&quantize(attention, kOut)});
  const Tensor input = random_tensor({1, 2, 7, 4}, 5);
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "attention"), 1);
  EXPECT_EQ(only_reason(notes), "only some of its operands are quantized");
  expect_one_step(input);
}

}  // namespace
}  // namespace qdq::lower::testing
