// Linear layers and embeddings of which only the weights are quantized.
#include "lower_testing.h"

namespace qdq::lower::testing {
namespace {

using Kinds = std::vector<std::string>;
using P = TestProgram;

// linear(x, dequantized weight in groups of 8), for few rows and for many.
void check_weight_only(std::int64_t rows, bool has_zero_points) {
  TestProgram t;
  Node& x = t.input("x", {rows, 48});
  const Tensor values = Tensor::empty(DType::int8, {70, 48});
  for (std::int64_t i = 0; i < values.numel(); ++i)
    values.data<std::int8_t>()[i] = static_cast<std::int8_t>(i % 16 - 8);
  const Tensor zero_points = Tensor::empty(DType::int32, {70, 6});
  for (std::int64_t i = 0; i < zero_points.numel(); ++i)
    zero_points.data<std::int32_t>()[i] = has_zero_points ? static_cast<std::int32_t>(i % 5 - 2) : 0;
  Node& w =
      t.g.call_function("torchao.dequantize_affine.default",
                        {t.weight("w", values), P::ints({1, 8}), t.weight("s", random_tensor({70, 6}, 3, 0.01f, 0.1f)),
                         t.weight("z", zero_points), Argument(DType::int8), -8, 7});
  t.output({&t.g.call_function("aten.linear.default", {x, w, t.weight("b", random_tensor({70}, 4))})});
  const Tensor input = random_tensor({rows, 48}, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), Kinds{"weight_only_linear"});
  expect_like_reference(t.program, {input});
}

TEST(WeightOnly, LinearLayersKeepTheirWeightsInInt8) {
  for (const std::int64_t rows : {1, 4, 5, 67}) {
    check_weight_only(rows, false);
    check_weight_only(rows, true);
  }
}

TEST(WeightOnly, EmbeddingsReadTheirTableAsBytes) {
  for (const DType dtype : {DType::int8, DType::uint8}) {
    TestProgram t;
    Node& index = t.input("index", {2, 3}, DType::int64);
    const Tensor table = Tensor::empty(dtype, {9, 7});
    for (std::int64_t i = 0; i < table.numel(); ++i)
      reinterpret_cast<std::uint8_t*>(table.raw_data())[i] = static_cast<std::uint8_t>(i * 5);
    const std::int64_t low = dtype == DType::int8 ? -128 : 0;
    Node& rows =
        t.g.call_function("quantized_decomposed.dequantize_per_channel.default",
                          {t.weight("table", table), t.weight("s", random_tensor({9}, 3, 0.01f, 0.1f)),
                           t.weight("z", random_tensor({9}, 4, 0.0f, 100.0f)), 0, low, low + 255, Argument(dtype)});
    t.output({&t.g.call_function("aten.embedding.default", {rows, index})});
    const Tensor input = Tensor::from<std::int64_t>({8, 0, 3, 3, 1, 7}, {2, 3});
    EXPECT_EQ(step_kinds(t.program, {input}), Kinds{"quantized_embedding"});
    expect_like_reference(t.program, {input}, 0.0);
    EXPECT_THROW(make_fast_executor(t.program, {.threads = 1})->run({Tensor::full(DType::int64, {2, 3}, 9)}),
                 InvalidArgumentError);
  }
}

TEST(WeightOnly, WeightsPerChannelToo) {
  TestProgram t;
  Node& x = t.input("x", {2, 50});
  Node& w = t.g.call_function(
      "quantized_decomposed.dequantize_per_channel.default",
      {t.weight("w", Tensor::full(DType::int8, {7, 50}, -3)), t.weight("s", random_tensor({7}, 3, 0.01f, 0.1f)),
       t.weight("z", Tensor::full(DType::int64, {7}, 0)), 0, -127, 127, Argument(DType::int8)});
  t.output({&t.g.call_function("aten.linear.default", {x, w})});
  const Tensor input = random_tensor({2, 50}, 5);
  EXPECT_EQ(step_kinds(t.program, {input}), Kinds{"weight_only_linear"});
  expect_like_reference(t.program, {input});
}

}  // namespace
}  // namespace qdq::lower::testing
