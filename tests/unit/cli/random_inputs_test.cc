#include "cli/random_inputs.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq::cli {
namespace {

TensorMeta meta(DType dtype, std::vector<SymInt> sizes) {
  TensorMeta result;
  result.dtype = dtype;
  result.sizes = std::move(sizes);
  return result;
}

Program program_of(const std::vector<TensorMeta>& inputs) {
  Program program;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Node& node = program.graph().placeholder("x" + std::to_string(i));
    node.type.v = inputs[i];
    program.inputs.push_back({InputSpec::Kind::user_input, node.name(), {}});
  }
  program.graph().output({});
  return program;
}

const SymInt kBatch = SymInt::symbolic("s0", 4);
const SymInt kLength = SymInt::symbolic("s1", 7);

TEST(RandomInputs, GivesTheBatchToItsSymbolAndOthersTheirHint) {
  const Program program =
      program_of({meta(DType::int64, {kBatch, kLength}), meta(DType::float32, {kLength, kBatch, 3})});
  const RandomInputs one = random_inputs(program, std::nullopt);
  EXPECT_EQ(one.inputs[0].sizes(), (Shape{1, 7}));
  EXPECT_EQ(one.inputs[1].sizes(), (Shape{7, 1, 3}));
  EXPECT_EQ(one.samples, 1);
  const RandomInputs many = random_inputs(program, 32);
  EXPECT_EQ(many.inputs[1].sizes(), (Shape{7, 32, 3}));
  EXPECT_EQ(many.samples, 32);
}

TEST(RandomInputs, TakesValuesThatNetworksDigest) {
  const Program program = program_of(
      {meta(DType::int32, {100}), meta(DType::bool_, {5}), meta(DType::float32, {1000}), meta(DType::bfloat16, {})});
  const RandomInputs random = random_inputs(program, std::nullopt);
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(random.inputs[0].data<std::int32_t>()[i] & ~1, 0);
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_TRUE(random.inputs[1].data<bool>()[i]);
  double sum = 0;
  double squares = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const double value = random.inputs[2].data<float>()[i];
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 1000, 0, 0.15);
  EXPECT_NEAR(squares / 1000, 1, 0.25);
  EXPECT_EQ(random.inputs[3].dtype(), DType::bfloat16);
  EXPECT_TRUE(bit_equal(random.inputs[2], random_inputs(program, std::nullopt).inputs[2]));
}

TEST(RandomInputs, RefusesABatchThatTheProgramDoesNotTake) {
  const Program program = program_of({meta(DType::float32, {4, 3})});
  EXPECT_EQ(random_inputs(program, 4).samples, 4);
  EXPECT_THROW(random_inputs(program, 8), InvalidArgumentError);
}

TEST(RandomInputs, RefusesSizesThatNobodyKnows) {
  EXPECT_THROW(random_inputs(program_of({meta(DType::float32, {kBatch, SymInt::symbolic("s9", std::nullopt)})}), 1),
               InvalidArgumentError);
  Program untyped;
  untyped.graph().placeholder("x");
  untyped.inputs.push_back({InputSpec::Kind::user_input, "x", {}});
  EXPECT_THROW(random_inputs(untyped, 1), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq::cli
