#include "pipeline/evaluate_constant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/schema.h"
#include "qdq/graph_text.h"
#include "qdq/program.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

// quantize_per_channel of a [3, 7] weight with halves between levels, infinities and a NaN in it.
void expect_the_bits_of_the_reference(const std::string& arguments, DType zero_point_dtype) {
  const Program program = parse_program(
      "graph(w: f32[3, 7], s: f32[3], z: i64[3]) {\n"
      "  %q = quantized_decomposed.quantize_per_channel.default(%w, %s, %z, " +
      arguments + ")\n  return (%q)\n}");
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Tensor w = Tensor::from<float>(
      {0.25f, -0.25f, 0.75f,         1.25f, -63.9f, 64.1f,  1e30f,  //
       kInf,  -kInf,  std::nanf(""), 0.0f,  -0.0f,  1e-30f, -1e30f, 3.3f, 0.15f, 0.45f, -12.7f, 12.8f, -12.9f, 25.5f},
      {3, 7});
  const Tensor s = Tensor::from<float>({0.5f, 0.01f, 0.1f}, {3});
  const Tensor z = Tensor::from<std::int64_t>({0, 3, -7}, {3}).to(zero_point_dtype);
  const Node& node = *program.graph().find("q");
  const Call call = bind(node, *find_schema(node.target()), [&](const Node& producer) {
    return Value(producer.name() == "w" ? w : producer.name() == "s" ? s : z);
  });
  const auto found = evaluate_constant(call), expected = evaluate(call);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(bit_equal(*found[0].tensor(), *expected[0].tensor())) << arguments;
}

TEST(EvaluateConstant, QuantizesRowsWithTheBitsOfTheReference) {
  for (const DType zero_points : {DType::int64, DType::int32}) {
    expect_the_bits_of_the_reference("0, -128, 127, int8", zero_points);
    expect_the_bits_of_the_reference("0, -127, 127, int8", zero_points);
    expect_the_bits_of_the_reference("0, 0, 255, uint8", zero_points);
  }
}

TEST(EvaluateConstant, LeavesTheRestToTheReference) {
  expect_the_bits_of_the_reference("0, -1000, 1000, int16", DType::int64);
  expect_the_bits_of_the_reference("0, -128, 127, int8", DType::float32);
}

}  // namespace
}  // namespace qdq
