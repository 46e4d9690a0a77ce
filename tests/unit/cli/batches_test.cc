#include "cli/batches.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq::cli {
namespace {

Program dynamic_program() {
  return parse_program(R"(
graph(x: f32[s0, 2], y: i64[s0]) {
  %relu: f32[s0, 2] = aten.relu.default(%x)
  return (%relu, %y)
})");
}

Program fixed_program() {
  return parse_program(R"(
graph(x: f32[2, 1]) {
  %relu: f32[2, 1] = aten.relu.default(%x)
  return (%relu)
})");
}

Tensor ramp(Shape sizes) {
  const Tensor tensor = Tensor::empty(DType::float32, std::move(sizes));
  for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data<float>()[i] = static_cast<float>(i);
  return tensor;
}

Tensor counts(std::int64_t n) {
  const Tensor tensor = Tensor::empty(DType::int64, {n});
  for (std::int64_t i = 0; i < n; ++i) tensor.data<std::int64_t>()[i] = i;
  return tensor;
}

// As if they had been read from a file.
std::unique_ptr<Samples> samples(const Program& program, const Arrays& arrays, bool whole = false,
                                 const std::string& origin = "") {
  std::vector<std::unique_ptr<TensorReader>> readers;
  for (const NamedTensor& array : arrays) readers.push_back(open_tensor(array));
  return array_samples(program, std::move(readers), whole, origin);
}

std::string failure(const Program& program, const Arrays& arrays, std::optional<std::int64_t> size = std::nullopt) {
  try {
    Batches(program, samples(program, arrays, size == 0, "data.npz"), size, Batches::Remainder::pad);
  } catch (const InvalidArgumentError& error) {
    return error.what();
  }
  return "";
}

TEST(Batches, FindsArraysByName) {
  const Program program = dynamic_program();
  const Batches batches(program, samples(program, {{"other", ramp({1})}, {"y", counts(5)}, {"x", ramp({5, 2})}}), 2,
                        Batches::Remainder::pad);
  EXPECT_EQ(batches.samples(), 5);
  EXPECT_EQ(batches.count(), 3);
  const std::vector<Tensor> second = batches.batch(1);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_TRUE(bit_equal(second[0], Tensor::from<float>({4, 5, 6, 7}, {2, 2})));
  EXPECT_TRUE(bit_equal(second[1], Tensor::from<std::int64_t>({2, 3}, {2})));
  EXPECT_EQ(batches.batch(2)[0].size(0), 1);  // a program that takes any number gets the rest as it is
}

TEST(Batches, TakesArraysInOrderWhenNoNameFits) {
  const Program program = dynamic_program();
  const Batches batches(program, samples(program, {{"arr_0", ramp({3, 2})}, {"arr_1", counts(3)}}), std::nullopt,
                        Batches::Remainder::pad);
  EXPECT_EQ(batches.batch_size(), 8);
  EXPECT_EQ(batches.count(), 1);
  EXPECT_EQ(batches.batch(0)[1].size(0), 3);
}

TEST(Batches, RefusesNamesOfWhichOnlySomeFit) {
  EXPECT_EQ(failure(dynamic_program(), {{"x", ramp({3, 2})}, {"z", counts(3)}}),
            "data.npz: the program has 2 input(s), the file has the array(s) x, z, and none is named 'y'");
}

TEST(Batches, ConvertsWidthsButNotKinds) {
  const Program program = dynamic_program();
  const Batches batches(program,
                        samples(program, {{"x", ramp({3, 2}).to(DType::float64)}, {"y", counts(3).to(DType::int32)}}),
                        1, Batches::Remainder::pad);
  EXPECT_EQ(batches.batch(0)[0].dtype(), DType::float32);
  EXPECT_EQ(batches.batch(0)[1].dtype(), DType::int64);
  EXPECT_EQ(failure(program, {{"x", ramp({3, 2}).to(DType::uint8)}, {"y", counts(3)}}),
            "data.npz: input 'x' takes float32[*, 2], found uint8[3, 2]");
}

TEST(Batches, RefusesOtherSizes) {
  EXPECT_EQ(failure(dynamic_program(), {{"x", ramp({3, 4})}, {"y", counts(3)}}),
            "data.npz: input 'x' takes float32[*, 2], found float32[3, 4]");
  EXPECT_EQ(failure(dynamic_program(), {{"x", ramp({3, 2})}, {"y", counts(4)}}),
            "data.npz: input 'y' has 4 samples, the inputs before it 3");
}

TEST(Batches, FillsTheLastBatchOfAProgramOfFixedSize) {
  const Program program = fixed_program();
  const Batches batches(program, samples(program, {{"x", ramp({3, 1})}}), std::nullopt, Batches::Remainder::pad);
  EXPECT_EQ(batches.batch_size(), 2);
  EXPECT_EQ(batches.count(), 2);
  EXPECT_EQ(batches.samples_in(1), 1);
  EXPECT_TRUE(bit_equal(batches.batch(1)[0], Tensor::from<float>({2, 2}, {2, 1})));
}

TEST(Batches, CanDropTheRestInstead) {
  const Program program = fixed_program();
  const Batches batches(program, samples(program, {{"x", ramp({3, 1})}}), std::nullopt, Batches::Remainder::drop);
  EXPECT_EQ(batches.count(), 1);
  EXPECT_EQ(batches.dropped(), 1);
}

TEST(Batches, RefusesABatchThatTheProgramCannotTake) {
  EXPECT_EQ(failure(fixed_program(), {{"x", ramp({3, 1})}}, 3), "the program was exported for batches of 2, not of 3");
}

TEST(Batches, OfSizeZeroIsTheWholeFile) {
  const Program program = fixed_program();
  const Batches batches(program, samples(program, {{"x", ramp({2, 1})}}, true), 0, Batches::Remainder::pad);
  EXPECT_TRUE(batches.whole());
  EXPECT_EQ(batches.count(), 1);
  EXPECT_EQ(failure(program, {{"x", ramp({3, 1})}}, 0), "data.npz: input 'x' takes float32[2, 1], found float32[3, 1]");
}

TEST(Batches, CanBeLimited) {
  const Program program = fixed_program();
  Batches batches(program, samples(program, {{"x", ramp({8, 1})}}), std::nullopt, Batches::Remainder::pad);
  batches.limit(5);
  EXPECT_EQ(batches.count(), 3);
}

TEST(Collector, PutsBatchesTogetherAndCutsThePadding) {
  Collector collector(fixed_program(), 3, false);
  collector.add({ramp({2, 1})}, 2);
  collector.add({ramp({2, 1})}, 1);
  ASSERT_EQ(collector.arrays().size(), 1U);
  EXPECT_EQ(collector.arrays()[0].name, "relu");
  EXPECT_TRUE(bit_equal(collector.arrays()[0].value, Tensor::from<float>({0, 1, 0}, {3, 1})));
}

TEST(Collector, RefusesResultsWithoutSamples) {
  Collector collector(fixed_program(), 3, false);
  EXPECT_THROW(collector.add({Tensor::scalar(1.0F)}, 2), InvalidArgumentError);
}

TEST(OutputNames, NumberWhatHasNoNameOfItsOwn) {
  const Program program = parse_program(R"(
graph(x: f32[2]) {
  %relu: f32[2] = aten.relu.default(%x)
  return (%relu, %relu, 3)
})");
  EXPECT_EQ(output_names(program), (std::vector<std::string>{"relu", "relu_1", "output_2"}));
}

TEST(OutputNames, LookBehindQuantizeAndDequantize) {
  const Program program = parse_program(R"(
graph(x: f32[2]) {
  %relu: f32[2] = aten.relu.default(%x)
  %quantize: i8[2] = quantized_decomposed.quantize_per_tensor.default(%relu, 0.5, 0, -128, 127, int8)
  %dequantize: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%quantize, 0.5, 0, -128, 127, int8)
  return (%dequantize)
})");
  EXPECT_EQ(output_names(program), std::vector<std::string>{"relu"});
}

}  // namespace
}  // namespace qdq::cli
