#include "accuracy/patches.h"

#include <gtest/gtest.h>

#include <numeric>

#include "qdq/executor.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

Tensor counting(Shape sizes) {
  Tensor tensor = Tensor::empty(DType::float32, std::move(sizes));
  std::iota(tensor.data<float>(), tensor.data<float>() + tensor.numel(), 1.0F);
  return tensor;
}

// The layer computed from its patches, [N, group channels, positions], beside what the interpreter computes.
void expect_products_of_patches(const std::string& call, const Shape& input_sizes, const Shape& weight_sizes,
                                std::int64_t groups) {
  const Program program = parse_program("graph(x: f32" + to_string(input_sizes) + ", w: f32" + to_string(weight_sizes) +
                                        ") {\n  %layer = " + call + "\n  return (%layer)\n}");
  const Tensor x = counting(input_sizes);
  const Tensor w = counting(weight_sizes);
  const Tensor expected =
      make_executor(program, {.kind = ExecutorOptions::Kind::reference})->run({x, w}).front().contiguous();
  const Node& layer = *program.graph().find("layer");
  const std::int64_t samples = input_sizes[0];
  const std::int64_t rows = weight_sizes[0] / groups;
  const std::int64_t columns = w.numel() / weight_sizes[0];
  for (std::int64_t g = 0; g < groups; ++g) {
    const Tensor matrix = patches(layer, weight_sizes, x, g, 1 << 20);
    const Tensor results = result_rows(layer, expected, g, 1 << 20);
    EXPECT_EQ(results.sizes(), (Shape{matrix.size(0), rows}));
    const std::int64_t positions = matrix.size(0) / samples;
    for (std::int64_t p = 0; p < matrix.size(0); ++p)
      for (std::int64_t r = 0; r < rows; ++r) {
        float sum = 0;
        for (std::int64_t k = 0; k < columns; ++k)
          sum += matrix.data<float>()[p * columns + k] * w.data<float>()[(g * rows + r) * columns + k];
        const std::int64_t sample = p / positions;
        EXPECT_EQ(sum, results.data<float>()[p * rows + r]);
        EXPECT_EQ(sum, expected.data<float>()[(sample * weight_sizes[0] + g * rows + r) * positions + p % positions]);
      }
  }
}

TEST(Patches, AreWhatAConvolutionMultiplies) {
  expect_products_of_patches("aten.conv2d.default(%x, %w, none, [2, 1], [1, 0], [1, 2])", {2, 2, 5, 6}, {3, 2, 3, 2},
                             1);
}
TEST(Patches, OfADepthwiseConvolution) {
  expect_products_of_patches("aten.conv2d.default(%x, %w, none, [1, 1], [1, 1], [1, 1], 4)", {1, 4, 4, 4}, {4, 1, 3, 3},
                             4);
}
TEST(Patches, OfAGroupedOneDimensionalConvolution) {
  expect_products_of_patches("aten.conv1d.default(%x, %w, none, [2], [1], [1], 2)", {2, 4, 7}, {6, 2, 3}, 2);
}
TEST(Patches, WithTheSameSizeAsTheInput) {
  expect_products_of_patches("aten.conv2d.padding(%x, %w, none, [1, 1], \"same\")", {1, 1, 4, 5}, {1, 1, 2, 3}, 1);
}

TEST(Patches, AreAsFewAsWanted) {
  const Program program = parse_program(R"(graph(x: f32[2, 1, 8, 8], w: f32[1, 1, 1, 1]) {
  %layer = aten.conv2d.default(%x, %w)
  return (%layer)
})");
  const Tensor matrix = patches(*program.graph().find("layer"), {1, 1, 1, 1}, counting({2, 1, 8, 8}), 0, 10);
  EXPECT_EQ(matrix.sizes(), (Shape{20, 1}));  // every seventh of 64, of each sample
  EXPECT_EQ(matrix.data<float>()[1], 8);
  const Tensor results = result_rows(*program.graph().find("layer"), counting({2, 1, 8, 8}), 0, 10);
  EXPECT_EQ(results.sizes(), (Shape{20, 1}));  // of the same places
  EXPECT_EQ(results.data<float>()[1], 8);
}

TEST(ResultRows, OfALinearAreItsVectors) {
  const Program program = parse_program(R"(graph(x: f32[2, 3, 1], w: f32[2, 1]) {
  %layer = aten.linear.default(%x, %w)
  return (%layer)
})");
  const Tensor results = result_rows(*program.graph().find("layer"), counting({2, 3, 2}), 0, 1);
  EXPECT_EQ(results.sizes(), (Shape{6, 2}));
  EXPECT_EQ(results.data<float>()[3], 4);
}

}  // namespace
}  // namespace qdq
