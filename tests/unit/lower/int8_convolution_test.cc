// Convolutions, linear layers and batch norms on the int8 engine, with what is fused behind them.
#include "int8_testing.h"

namespace qdq::lower::testing {
namespace {

TEST_P(Int8Lowering, ConvolutionAndReluAreOneStepWithTheReferencesBits) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({12, 8, 3, 3}, 1);
  Node& relu = t.g.call_function("aten.relu_.default", {conv(through(x, kIn), w)});
  t.output({&quantize(relu, kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "convolution"), 0);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  EXPECT_TRUE(notes.empty());
  const Tensor wanted = integer::convolution(quantized(input, kIn), w.value, w.bias, kConv, {2, 12, 7, 5},
                                             result(kOut, {0.0, std::numeric_limits<double>::infinity()}));
  EXPECT_TRUE(bit_equal(run(input), wanted));
  expect_one_step(input);
}

// The XNNPACK quantizer observes a convolution before its ReLU6 and lets both share a grid.
// As floats they would take four times the memory traffic, and one thread.
TEST_P(Int8Lowering, PlanesOfAnInputAreInterleavedAsBytes) {
  const Scale in{0.01, 128}, out{0.02, 120};
  Node& x = t.input("x", {1, 3, 6, 5});
  t.output({&quantize(conv(through(x, in), weight({4, 3, 3, 3}, 1)), out)});
  const Kinds kinds = step_kinds(t.program, {random_tensor({1, 3, 6, 5}, 2)});
  const auto quantizes = std::find(kinds.begin(), kinds.end(), "quantize");
  ASSERT_LT(quantizes, kinds.end());
  EXPECT_NE(std::find(quantizes, kinds.end(), "copy"), kinds.end()) << "no step interleaves what was quantized";
}

TEST_P(Int8Lowering, ClampsThatReturnToTheGridOfTheirInputNarrowItsLevels) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({12, 8, 3, 3}, 1);
  Node& clamped = t.g.call_function("aten.hardtanh_.default", {through(conv(through(x, kIn), w), kOut), -1.0, 2.0});
  Node& relu = t.g.call_function("aten.relu.default", {through(clamped, kOut)});
  t.output({&quantize(relu, kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  EXPECT_TRUE(notes.empty());
  EXPECT_EQ(steps_between(input, 1), 1);
  const Tensor wanted =
      integer::convolution(quantized(input, kIn), w.value, w.bias, kConv, {2, 12, 7, 5}, result(kOut, {0.0, 2.0}));
  EXPECT_TRUE(bit_equal(run(input), wanted));
  expect_one_step(input);
}

TEST_P(Int8Lowering, ClampsThatAreToRunInFloatAreNotFolded) {
  Node& x = t.input("x", kSizes);
  Node& relu = t.g.call_function("aten.relu.default", {through(conv(through(x, kIn), weight({12, 8, 3, 3}, 1)), kOut)});
  t.output({&quantize(relu, kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  const Tensor folded = run(input);
  relu.meta.set(kRunInFloat, "it is faster in float");
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "it is faster in float");
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "unary"), 1);
  EXPECT_TRUE(bit_equal(run(input), folded));
}

TEST_P(Int8Lowering, ClampsToAnotherGridStaySteps) {
  Node& x = t.input("x", kSizes);
  Node& before = through(conv(through(x, kIn), weight({12, 8, 3, 3}, 1)), kOut);
  t.output({&quantize(t.g.call_function("aten.relu.default", {before}), kIn)});
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(steps_between(input, 1), 2);
  expect_one_step(input);
}

TEST_P(Int8Lowering, ClampsOfValuesWithOtherReadersStaySteps) {
  Node& x = t.input("x", kSizes);
  Node& before = through(conv(through(x, kIn), weight({12, 8, 3, 3}, 1)), kOut);
  t.output({&quantize(t.g.call_function("aten.relu.default", {before}), kOut), &before});
  const Tensor input = random_tensor(kSizes, 5);
  EXPECT_EQ(steps_between(input, 2), 2);
  expect_one_step(input);
}

TEST_P(Int8Lowering, AResidualIsAddedInTheConvolution) {
  Node& x = t.input("x", kSizes);
  const Weight a = weight({8, 8, 3, 3}, 1), b = weight({8, 8, 3, 3}, 11);
  // The other branch is quantized behind the convolution that it is added to.
  Node& main = with_sizes(conv(through(x, kIn), a), x);
  Node& other = with_sizes(through(with_sizes(conv(through(x, kIn), b), x), {0.05, 128}), x);
  Node& sum = t.g.call_function("aten.add.Tensor", {main, other});
  t.output({&quantize(t.g.call_function("aten.relu.default", {sum}), kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 0);
  const integer::Quantized q = quantized(input, kIn);
  const integer::Quantized residual = {integer::convolution(q, b.value, b.bias, kConv, kSizes, result({0.05, 128})),
                                       grid({0.05, 128})};
  const Tensor wanted = integer::convolution(q, a.value, a.bias, kConv, kSizes,
                                             result(kOut, {0.0, std::numeric_limits<double>::infinity()}), residual);
  EXPECT_TRUE(bit_equal(run(input), wanted));
}

TEST_P(Int8Lowering, TransposedConvolutionsInGroupsShareTheScalesOfTheirChannels) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({8, 3, 3, 3}, 1, 1);  // 2 groups of 4 channels in, 3 out
  Node& conv = t.g.call_function("aten.conv_transpose2d.input", {through(x, kIn), *w.node, Argument(), P::ints({2, 2}),
                                                                 P::ints({1, 1}), P::ints({1, 1}), 2, P::ints({2, 1})});
  t.output({&quantize(t.g.call_function("aten.relu.default", {conv}), kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "deconvolution"), 0);
  EXPECT_TRUE(notes.empty());
  integer::Weight both = w.value;
  both.scales = Tensor::empty(DType::float32, {6});
  for (std::int64_t o = 0; o < 6; ++o) both.scales.data<float>()[o] = w.value.scales.data<float>()[o % 3];
  const ConvParams params = {{2, 2}, {1, 1}, {1, 1}, {2, 1}, {1, 1}, 2, true};
  const Tensor wanted = integer::convolution(quantized(input, kIn), both, {}, params, {2, 6, 16, 10},
                                             result(kOut, {0.0, std::numeric_limits<double>::infinity()}));
  EXPECT_TRUE(bit_equal(run(input), wanted));
  expect_one_step(input);
}

TEST_P(Int8Lowering, TransposedDepthwiseConvolutionsTakeScalesOfTheirInputChannels) {
  const Shape sizes = {2, 8, 9};
  Node& x = t.input("x", sizes);
  const Weight w = weight({8, 1, 4}, 1);
  Node& conv = t.g.call_function("aten.conv_transpose1d.default",
                                 {through(x, kIn), *w.node, *w.bias_node, P::ints({2}), P::ints({1}), P::ints({0}), 8});
  t.output({&quantize(t.g.call_function("aten.hardswish.default", {conv}), kOut)});
  const Tensor input = random_tensor(sizes, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "unary"), 0);
  integer::Result activated = result(kOut);
  activated.activation = Activation{Activation::Kind::hardswish};
  const ConvParams params = {{2}, {1}, {1}, {1}, {0}, 8, true};
  EXPECT_TRUE(bit_equal(run(input),
                        integer::convolution(quantized(input, kIn), w.value, w.bias, params, {2, 8, 18}, activated)));
  expect_one_step(input);
}

TEST_P(Int8Lowering, TransposedConvolutionsWithScalesOfSeveralInputChannelsStayInFloat) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({8, 3, 3, 3}, 1);
  Node& conv = t.g.call_function("aten.conv_transpose2d.input", {through(x, kIn), *w.node});
  t.output({&quantize(conv, kOut)});
  std::vector<Graph::Note> notes;
  const Tensor input = random_tensor(kSizes, 5);
  step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "its weight's scales do not lie along the output channels");
  expect_one_step(input);
}

TEST_P(Int8Lowering, TransposedConvolutionsWithHugeStridesStayInFloat) {
  Node& x = t.input("x", {1, 8, 1, 1});
  const Weight w = weight({8, 3, 2, 2}, 1, 1);
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  Node& conv =
      t.g.call_function("aten.conv_transpose2d.input", {through(x, kIn), *w.node, Argument(), P::ints({kHuge, kHuge})});
  t.output({&quantize(conv, kOut)});
  std::vector<Graph::Note> notes;
  const Tensor input = random_tensor({1, 8, 1, 1}, 5);
  step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "its stride is too large");
  expect_one_step(input);
}

TEST_P(Int8Lowering, AResidualIsAddedInATransposedConvolution) {
  Node& x = t.input("x", {1, 8, 3, 4});
  Node& y = t.input("y", {1, 5, 6, 8});
  const Weight w = weight({8, 5, 2, 2}, 1, 1);
  Node& conv = with_sizes(
      t.g.call_function("aten.conv_transpose2d.input", {through(x, kIn), *w.node, *w.bias_node, P::ints({2, 2})}), y);
  t.output({&quantize(t.g.call_function("aten.add.Tensor", {conv, through(y, kIn)}), kOut)});
  const std::vector<Tensor> inputs = {random_tensor({1, 8, 3, 4}, 5), random_tensor({1, 5, 6, 8}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 0);
  const ConvParams params = {{2, 2}, {0, 0}, {0, 0}, {1, 1}, {0, 0}, 1, true};
  const Tensor wanted = integer::convolution(quantized(inputs[0], kIn), w.value, w.bias, params, {1, 5, 6, 8},
                                             result(kOut), quantized(inputs[1], kIn));
  EXPECT_TRUE(bit_equal(make_fast_executor(t.program, {.threads = 1})->run(inputs)[0], wanted));
}

TEST_P(Int8Lowering, AResultThatNobodyQuantizesIsFloat) {
  Node& x = t.input("x", {3, 10});
  const Weight w = weight({7, 10}, 1);
  Node& linear = t.g.call_function("aten.linear.default", {through(x, kIn), *w.node, *w.bias_node});
  t.output({&linear});
  const Tensor input = random_tensor({3, 10}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "linear"), 0);
  integer::Result to_float;
  to_float.dtype = DType::float32;
  EXPECT_TRUE(bit_equal(run(input), integer::linear(quantized(input, kIn), w.value, w.bias, to_float)));
  expect_like_reference(t.program, {input});
}

TEST_P(Int8Lowering, GeluIsPartOfTheLinearLayerInFrontOfIt) {
  Node& x = t.input("x", {3, 10});
  const Weight w = weight({70, 10}, 1);
  Node& linear = t.g.call_function("aten.linear.default", {through(x, kIn), *w.node, *w.bias_node});
  t.output({&quantize(t.g.call_function("aten.gelu.default", {linear}), kOut)});
  const Tensor input = random_tensor({3, 10}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "unary"), 0);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "quantize"), 1);  // the input's
  integer::Result activated = result(kOut);
  activated.activation = Activation{Activation::Kind::gelu_erf};
  EXPECT_TRUE(bit_equal(run(input), integer::linear(quantized(input, kIn), w.value, w.bias, activated)));
  expect_one_step(input);
}

TEST_P(Int8Lowering, HardswishIsPartOfADepthwiseConvolution) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({8, 1, 3, 3}, 1);
  Node& conv = t.g.call_function("aten.conv2d.default", {through(x, kIn), *w.node, *w.bias_node, P::ints({1, 1}),
                                                         P::ints({1, 1}), P::ints({1, 1}), 8});
  t.output({&quantize(t.g.call_function("aten.hardswish_.default", {conv}), kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "unary"), 0);
  integer::Result activated = result(kOut);
  activated.activation = Activation{Activation::Kind::hardswish};
  ConvParams params = kConv;
  params.groups = 8;
  EXPECT_TRUE(
      bit_equal(run(input), integer::convolution(quantized(input, kIn), w.value, w.bias, params, kSizes, activated)));
  expect_one_step(input);
}

// Its kernels write floats too; the addition is a step of its own.
TEST_P(Int8Lowering, ADepthwiseConvolutionThatIsAddedStaysDepthwise) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({8, 1, 3, 3}, 1);
  Node& before = with_sizes(through(x, kIn), x);
  Node& conv = with_sizes(t.g.call_function("aten.conv2d.default", {before, *w.node, *w.bias_node, P::ints({1, 1}),
                                                                    P::ints({1, 1}), P::ints({1, 1}), 8}),
                          x);
  t.output({&quantize(t.g.call_function("aten.add.Tensor", {conv, before}), kOut), &conv});
  const Tensor input = random_tensor(kSizes, 5);
  const auto executor = make_fast_executor(t.program, {.threads = 1});
  executor->set_profiling(true);
  const Tensor found = executor->run({input}).at(1);
  const std::vector<StepTime> steps = executor->step_times();
  EXPECT_EQ(std::count_if(steps.begin(), steps.end(), [](const StepTime& s) { return s.kind == "int8:depthwise"; }), 1);
  integer::Result to_float;
  to_float.dtype = DType::float32;
  ConvParams params = kConv;
  params.groups = 8;
  const Tensor wanted = integer::convolution(quantized(input, kIn), w.value, w.bias, params, kSizes, to_float);
  EXPECT_TRUE(bit_equal(found, wanted));
  expect_one_step(input);
}

// As DenseNets have it in front of their convolutions.
TEST_P(Int8Lowering, ABatchNormOfAQuantizedValueIsADepthwiseConvolution) {
  for (const Shape& sizes : {kSizes, Shape{2, 1, 9}}) {
    TestProgram program;
    const std::int64_t channels = sizes[1];
    Node& x = program.input("x", sizes);
    const Tensor gamma = random_tensor({channels}, 1), beta = random_tensor({channels}, 2),
                 mean = random_tensor({channels}, 3), variance = random_tensor({channels}, 4, 0.2f, 3.0f);
    Node& q = program.g.call_function("quantized_decomposed.quantize_per_tensor.default", arguments(x, kIn));
    Node& norm = program.g.call_function(
        "aten.batch_norm.default",
        {program.g.call_function("quantized_decomposed.dequantize_per_tensor.default", arguments(q, kIn)),
         program.weight("gamma", gamma), program.weight("beta", beta), program.weight("mean", mean),
         program.weight("variance", variance), false, 0.1, 1e-5, false});
    Node& relu = program.g.call_function("aten.relu.default", {norm});
    program.output(
        {&program.g.call_function("quantized_decomposed.quantize_per_tensor.default", arguments(relu, kOut))});
    const Tensor input = random_tensor(sizes, 5);
    std::vector<Graph::Note> notes;
    const Kinds kinds = step_kinds(program.program, {input}, &notes);
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
    EXPECT_TRUE(notes.empty());
    const Tensor got = make_fast_executor(program.program, {.threads = 1})->run({input})[0];
    EXPECT_LE(largest_difference(got, make_reference_executor(program.program)->run({input})[0]), 1);
    Shape ones(sizes.size(), 1);
    ones[0] = channels;
    const Tensor scales = Tensor::empty(DType::float32, {channels}), shifts = Tensor::empty(DType::float32, {channels});
    for (std::int64_t c = 0; c < channels; ++c) {
      const double scale = gamma.data<float>()[c] / std::sqrt(variance.data<float>()[c] + 1e-5);
      scales.data<float>()[c] = static_cast<float>(scale);
      shifts.data<float>()[c] = static_cast<float>(beta.data<float>()[c] - mean.data<float>()[c] * scale);
    }
    const Shape each(sizes.size() - 2, 1), none(sizes.size() - 2, 0);
    EXPECT_TRUE(bit_equal(got, integer::convolution(quantized(input, kIn), {Tensor::full(DType::int8, ones, 1), scales},
                                                    shifts, {each, none, none, each, none, channels, false}, sizes,
                                                    result(kOut, {0.0, std::numeric_limits<double>::infinity()}))));
  }
}

TEST_P(Int8Lowering, WhatLiesBetweenALinearLayerAndItsQuantizeMovesBytes) {
  Node& x = t.input("x", {2, 3, 8});
  const Weight w = weight({12, 8}, 1);
  Node& linear = t.g.call_function("aten.linear.default", {through(x, kIn), *w.node, *w.bias_node});
  Node& heads = t.g.call_function("aten.view.default", {linear, P::ints({2, 3, 4, 3})});
  Node& turned = t.g.call_function("aten.transpose.int", {heads, 1, 2});
  Node& joined = t.g.call_function("aten.reshape.default", {turned, P::ints({2, 4, 9})});
  t.output({&quantize(t.g.call_function("aten.relu.default", {joined}), kOut)});
  const Tensor input = random_tensor({2, 3, 8}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "quantize"), 1);  // the input's
  const Tensor wanted = integer::linear(quantized(input, kIn), w.value, w.bias,
                                        result(kOut, {0.0, std::numeric_limits<double>::infinity()}));
  EXPECT_TRUE(bit_equal(
      run(input),
      wanted.reshape({2, 3, 4, 3}).permute(std::array<std::int64_t, 4>{0, 2, 1, 3}).contiguous().reshape({2, 4, 9})));
  expect_one_step(input);
}

TEST_P(Int8Lowering, AConvolutionIsAddedInPlaceToAResidual) {
  Node& x = t.input("x", kSizes);
  const Weight w = weight({8, 8, 3, 3}, 1);
  Node& other = through(x, {0.05, 128});
  Node& main = with_sizes(conv(through(x, kIn), w), x);
  Node& sum = t.g.call_function("aten.add_.Tensor", {other, main});
  t.output({&quantize(t.g.call_function("aten.relu_.default", {sum}), kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  const Tensor wanted =
      integer::convolution(quantized(input, kIn), w.value, w.bias, kConv, kSizes,
                           result(kOut, {0.0, std::numeric_limits<double>::infinity()}), quantized(input, {0.05, 128}));
  EXPECT_TRUE(bit_equal(run(input), wanted));
}

TEST_P(Int8Lowering, AWeightWithZeroPointsStaysInFloat) {
  Node& x = t.input("x", {3, 10});
  Node& values = t.weight("w", Tensor::full(DType::uint8, {7, 10}, 130));
  Node& w = t.g.call_function("quantized_decomposed.dequantize_per_tensor.default",
                              {values, 0.01, 128, 0, 255, Argument(DType::uint8)});
  t.output({&quantize(t.g.call_function("aten.linear.default", {through(x, kIn), w}), kOut)});
  std::vector<Graph::Note> notes;
  const Tensor input = random_tensor({3, 10}, 5);
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "linear"), 1);
  EXPECT_EQ(only_reason(notes), "its weight is not int8 with zero points of 0");
  expect_one_step(input);
}

}  // namespace
}  // namespace qdq::lower::testing
