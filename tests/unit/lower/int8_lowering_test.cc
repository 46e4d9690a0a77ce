// Programs with quantize and dequantize nodes on the int8 engine: which steps they become, their bits against the integer reference and
// their distance from the float graph.
#include "lower_testing.h"
#include "reference/integer.h"

namespace qdq::lower::testing {
namespace {

using Kinds = std::vector<std::string>;
using P = TestProgram;

struct Scale {
  double scale;
  std::int64_t zero_point;
};

class Int8Lowering : public ::testing::TestWithParam<DType> {
 protected:
  std::int64_t low() const { return GetParam() == DType::int8 ? -128 : 0; }

  // Zero points are given for uint8.
  Argument::List arguments(Node& x, const Scale& s) const {
    return {x, s.scale, s.zero_point + low(), low(), low() + 255, Argument(GetParam())};
  }
  Node& quantize(Node& x, const Scale& s) {
    return t.g.call_function("quantized_decomposed.quantize_per_tensor.default", arguments(x, s));
  }
  Node& dequantize(Node& q, const Scale& s) {
    return t.g.call_function("quantized_decomposed.dequantize_per_tensor.default", arguments(q, s));
  }
  Node& through(Node& x, const Scale& s) { return with_sizes(dequantize(quantize(x, s), s), x); }
  // What a residual's fusion compares.
  static Node& with_sizes(Node& node, const Node& like) {
    node.type = like.type;
    return node;
  }

  struct Weight {
    Node* node;
    integer::Weight value;
    Tensor bias;
    Node* bias_node;
  };
  // Its scales lie along `axis`.
  Weight weight(const Shape& sizes, unsigned seed, std::size_t axis = 0) {
    std::mt19937 engine(seed);
    Weight w;
    w.value.values = Tensor::empty(DType::int8, sizes);
    for (std::int64_t i = 0; i < w.value.values.numel(); ++i)
      w.value.values.data<std::int8_t>()[i] = static_cast<std::int8_t>(static_cast<int>(engine() % 255) - 127);
    w.value.scales = random_tensor({sizes[axis]}, seed + 1, 0.001f, 0.004f);
    w.bias = random_tensor({sizes[axis]}, seed + 2);
    const std::string name = std::to_string(seed);
    Node& values = t.weight("w" + name, w.value.values);
    Node& scales = t.weight("s" + name, w.value.scales);
    Node& zeros = t.weight("z" + name, Tensor::empty(DType::int64, {sizes[axis]}));
    w.bias_node = &t.weight("b" + name, w.bias);
    w.node =
        &t.g.call_function("quantized_decomposed.dequantize_per_channel.default",
                           {values, scales, zeros, static_cast<std::int64_t>(axis), -127, 127, Argument(DType::int8)});
    return w;
  }
  Node& conv(Node& x, const Weight& w) {
    return t.g.call_function("aten.conv2d.default", {x, *w.node, *w.bias_node, P::ints({1, 1}), P::ints({1, 1})});
  }

  integer::Grid grid(const Scale& s) const {
    return integer::grid_of(s.scale, s.zero_point + low(), low(), low() + 255, GetParam());
  }
  integer::Result result(const Scale& s, integer::Bounds bounds = {}) const { return {GetParam(), grid(s), bounds}; }
  // What the program's quantize makes of its input.
  integer::Quantized quantized(const Tensor& input, const Scale& s) {
    P p;
    Node& x = p.input("x", input.sizes());
    p.output({&p.g.call_function("quantized_decomposed.quantize_per_tensor.default", arguments(x, s))});
    return {make_reference_executor(p.program)->run({input})[0], grid(s)};
  }
  // Steps on bytes between an input that is quantized and `outputs` of the parameter's dtype, which int8 shifts at both edges.
  std::int64_t steps_between(const Tensor& input, std::int64_t outputs) {
    const std::vector<std::string> kinds = step_kinds(t.program, {input});
    return std::count(kinds.begin(), kinds.end(), "int8") - (GetParam() == DType::int8 ? 1 + outputs : 0);
  }
  Tensor run(const Tensor& input) { return make_fast_executor(t.program, {.threads = 1})->run({input})[0]; }

  static int largest_difference(const Tensor& a, const Tensor& b) {
    EXPECT_EQ(a.sizes(), b.sizes());
    const Tensor left = a.to(DType::int32).contiguous(), right = b.to(DType::int32).contiguous();
    int worst = 0;
    for (std::int64_t i = 0; i < left.numel(); ++i)
      worst = std::max(worst, std::abs(left.data<std::int32_t>()[i] - right.data<std::int32_t>()[i]));
    return worst;
  }
  // The last quantize of the float graph is at most a step away.
  void expect_one_step(const Tensor& input) {
    EXPECT_LE(largest_difference(run(input), make_reference_executor(t.program)->run({input})[0]), 1);
  }

  // Computed in float from quantize to dequantize, by the same kernels.
  void expect_bits_of_the_float_graph(const std::vector<Tensor>& inputs) {
    const auto got = make_fast_executor(t.program, {.threads = 1})->run(inputs);
    const auto wanted = make_fast_executor(t.program, {.threads = 1, .simulate_quantization = true})->run(inputs);
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(bit_equal(got[i], wanted[i])) << i;
  }

  TestProgram t;
};

constexpr Scale kIn = {0.02, 117};
constexpr Scale kOut = {0.031, 90};
const Shape kSizes = {2, 8, 7, 5};
const ConvParams kConv = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, 1, false};

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

TEST_P(Int8Lowering, LayerNormAndSoftmaxHaveBytesAtTheirEdges) {
  Node& x = t.input("x", {2, 5, 24});
  Node &gamma = t.weight("gamma", random_tensor({24}, 1)), &beta = t.weight("beta", random_tensor({24}, 2));
  Node& norm = t.g.call_function("aten.layer_norm.default", {x, P::ints({24}), gamma, beta, 1e-5});
  Node& softmax = t.g.call_function("aten.softmax.int", {through(norm, {0.03, 120}), -1});
  Node& last = t.g.call_function("aten.layer_norm.default", {through(softmax, {1.0 / 255, 0}), P::ints({24})});
  t.output({&last});
  const Tensor input = random_tensor({2, 5, 24}, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "quantize"), 0);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  const auto simulated = make_fast_executor(t.program, {.threads = 1, .simulate_quantization = true});
  EXPECT_TRUE(bit_equal(run(input), simulated->run({input})[0]));
}

// As in transformers that normalise before or behind their residual additions: the sum, the norm, both or neither have other readers.
TEST_P(Int8Lowering, SumsJoinTheLayerNormThatReadsThemFirst) {
  Node &x = t.input("x", {2, 5, 24}), &y = t.input("y", {2, 5, 24});
  Node &gamma = t.weight("gamma", random_tensor({24}, 1)), &beta = t.weight("beta", random_tensor({24}, 2));
  const auto quantized_norm = [&](bool sum_is_read, bool norm_is_read) -> Node& {
    Node& sum = t.g.call_function("aten.add.Tensor", {x, y});
    Node& norm = t.g.call_function("aten.layer_norm.default", {sum, P::ints({24}), gamma, beta, 1e-5});
    Node& bytes = through(norm, kOut);
    Node& other = t.g.call_function("aten.mul.Tensor", {sum_is_read ? sum : y, norm_is_read ? norm : y});
    return t.g.call_function("aten.mul.Tensor", {bytes, other});
  };
  t.output({&quantized_norm(false, false), &quantized_norm(false, true), &quantized_norm(true, false),
            &quantized_norm(true, true)});
  const std::vector<Tensor> inputs = {random_tensor({2, 5, 24}, 5), random_tensor({2, 5, 24}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "quantize"), 0);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 8);
  expect_bits_of_the_float_graph(inputs);
}

TEST_P(Int8Lowering, SumsStayStepsWhereAnotherReaderComesBeforeTheLayerNormOrTheNormRunsInFloat) {
  Node &x = t.input("x", {2, 5, 24}), &y = t.input("y", {2, 5, 24});
  Node& early = t.g.call_function("aten.add.Tensor", {x, y});
  Node& product = t.g.call_function("aten.mul.Tensor", {early, y});
  Node& late = t.g.call_function("aten.add.Tensor", {product, y});
  Node& first = t.g.call_function("aten.layer_norm.default", {early, P::ints({24})});
  Node& second = t.g.call_function("aten.layer_norm.default", {late, P::ints({24})});
  second.meta.set(kRunInFloat, "it is faster in float");
  t.output({&quantize(first, kOut), &quantize(second, kOut)});
  const std::vector<Tensor> inputs = {random_tensor({2, 5, 24}, 5), random_tensor({2, 5, 24}, 6)};
  const Kinds kinds = step_kinds(t.program, inputs);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "binary"), 3);
  expect_bits_of_the_float_graph(inputs);
}

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

TEST_P(Int8Lowering, ViewsAndConcatenationsMoveBytes) {
  Node& x = t.input("x", kSizes);
  Node& q = through(x, kIn);
  Node& both = t.g.call_function("aten.cat.default", {Argument(Argument::List{q, through(x, kIn)}), 1});
  Node& flat = t.g.call_function("aten.flatten.using_ints", {through(both, kIn), 1});
  t.output({&quantize(flat, kIn)});
  const Tensor input = random_tensor(kSizes, 5);
  const Kinds kinds = step_kinds(t.program, {input});
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, PaddingAndEnlargingMoveBytes) {
  Node& x = t.input("x", kSizes);
  Node& padded = t.g.call_function("aten.pad.default", {through(x, kIn), P::ints({0, 0, 1, 0, 2, 1})});
  Node& ones = t.g.call_function("aten.constant_pad_nd.default", {through(padded, kIn), P::ints({1, 2}), kIn.scale});
  Node& larger = t.g.call_function("aten.upsample_nearest2d.vec",
                                   {through(ones, kIn), Argument(), Argument(Argument::List{2.0, 4.0})});
  t.output({&quantize(larger, kIn)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  EXPECT_TRUE(notes.empty());
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, PaddingWithWhatIsNotOnTheGridStaysInFloat) {
  Node& x = t.input("x", kSizes);
  Node& padded = t.g.call_function("aten.pad.default", {through(x, kIn), P::ints({1, 1}), "constant", 0.0137});
  t.output({&padded});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(only_reason(notes), "what it pads with is not on the grid");
  expect_like_reference(t.program, {input}, 0.0);
}

TEST_P(Int8Lowering, PartsAndIdleDropoutAreNotReportedAsFloat) {
  Node& x = t.input("x", kSizes);
  Node& part = t.g.call_function("aten.slice.Tensor", {through(x, kIn), 1, 2, 7});
  Node& dropped = t.g.call_function("aten.dropout.default", {through(part, kIn), 0.5, false});
  t.output({&quantize(dropped, kOut)});
  const Tensor input = random_tensor(kSizes, 5);
  std::vector<Graph::Note> notes;
  const Kinds kinds = step_kinds(t.program, {input}, &notes);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
  EXPECT_TRUE(notes.empty());
  expect_like_reference(t.program, {input}, 0.0);
}

// As the heads of attention are taken out of one product: what is selected has gaps.
TEST_P(Int8Lowering, APartOfAValueIsQuantizedWithoutItsGaps) {
  Node& x = t.input("x", {2, 5, 24});
  Node& heads = t.g.call_function("aten.view.default", {through(x, kIn), P::ints({2, 5, 2, 2, 6})});
  Node& first = t.g.call_function("aten.permute.default", {heads, P::ints({2, 0, 3, 1, 4})});
  Node& query = t.g.call_function("aten.select.int", {first, 0, 1});
  Node& other = t.g.call_function("aten.sigmoid.default", {through(query, kIn)});
  t.output({&quantize(other, {1.0 / 256, 0})});
  expect_like_reference(t.program, {random_tensor({2, 5, 24}, 5, -4.0f, 4.0f)}, 0.0);
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

TEST_P(Int8Lowering, ASumWrittenIntoADequantizedValueIsNoLongerOnItsGrid) {
  Node& x = t.input("x", kSizes);
  Node& sum = t.g.call_function("aten.add_.Tensor", {through(x, kIn), x});
  t.output({&quantize(sum, kIn)});
  expect_like_reference(t.program, {random_tensor(kSizes, 5)}, 0.0);
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
