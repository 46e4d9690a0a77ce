#pragma once
#include "lower_testing.h"
#include "reference/integer.h"

namespace qdq::lower::testing {

using Kinds = std::vector<std::string>;
using P = TestProgram;

struct Scale {
  double scale;
  std::int64_t zero_point;
};

// A program with quantize and dequantize nodes under construction. The parameter is the dtype of its quantized values.
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

  // No step computes in float, none is reported to, and the results are the float graph's to the bit.
  void expect_moved_bytes(const Tensor& input) {
    std::vector<Graph::Note> notes;
    const Kinds kinds = step_kinds(t.program, {input}, &notes);
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "dequantize"), 0);
    EXPECT_TRUE(notes.empty());
    expect_like_reference(t.program, {input}, 0.0);
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
inline const Shape kSizes = {2, 8, 7, 5};
inline const ConvParams kConv = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, 1, false};

}  // namespace qdq::lower::testing
