// The QOperator format: operators that take and give integers with their scales and zero points. Each is its float op between
// dequantizes and a quantize, which is what the int8 engine looks for:
//
//     QLinearAdd(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)      quantize(add(dequantize(a), dequantize(b)))
//
// ONNX has QLinearConv and QLinearMatMul; the others are ONNX Runtime's.
#include "formats/onnx/op_name.h"
#include "formats/onnx/read/conv.h"
#include "formats/onnx/read/family.h"
#include "formats/onnx/read/linear.h"

namespace qdq::onnx {
namespace {

const Tensor& scales_of(const In& in, std::size_t i) {
  const Tensor* scales = in.constant(i);
  if (!scales || scales->numel() == 0)
    in.refuse("its input " + std::to_string(i) + ", a scale, is computed or missing");
  return *scales;
}

double scale_of(const In& in, std::size_t i) {
  const Tensor& scale = scales_of(in, i);
  if (scale.numel() != 1) in.refuse("its input " + std::to_string(i) + ", a scale, is no single number");
  return number_of(scale).to_double();
}

// Integers with one scale, or one for each index of `axis`; `zeros` has one zero point for all, as many as scales, or none.
Node& dequantize(const In& in, Node& integers, const Tensor& scales, const Tensor* zeros, std::int64_t axis) {
  const DType dtype = in.type(integers).dtype;
  if (!is_integral(dtype)) in.refuse("quantized values of dtype " + std::string(name(dtype)));
  const IntegerLimits levels = integer_limits(dtype);
  const Tensor points = zeros ? zeros->to(DType::int64).contiguous() : Tensor::full(DType::int64, {1}, 0);
  if (points.numel() != 1 && points.numel() != scales.numel()) in.refuse("scales and zero points of different sizes");
  if (scales.numel() == 1)
    return in.call("quantized_decomposed.dequantize_per_tensor.default",
                   {integers, number_of(scales), number_of(points), levels.min, levels.max, dtype});
  const Shape count = {scales.numel()};
  Node& scale = in.attribute(integers.name() + "_scales", scales.contiguous().reshape(count));
  Node& zero = in.attribute(integers.name() + "_zero_points",
                            points.numel() == 1
                                ? Tensor::full(DType::int64, count, static_cast<double>(number_of(points).to_int()))
                                : points.reshape(count));
  return in.call("quantized_decomposed.dequantize_per_channel.default",
                 {integers, scale, zero, axis, levels.min, levels.max, dtype});
}

// Inputs i, i + 1 and i + 2 are integers, their scale and their zero point.
Node& dequantized(const In& in, std::size_t i, std::int64_t axis = 0) {
  if (in.has(i + 2) && !in.constant(i + 2)) in.refuse("zero points that are computed");
  return dequantize(in, in.tensor(i), scales_of(in, i + 1), in.constant(i + 2), axis);
}

// Input i, in int32, counts in the product of the two scales.
Argument bias(const In& in, std::size_t i, std::size_t x_scale, std::size_t w_scale) {
  if (!in.has(i)) return {};
  const double x = scale_of(in, x_scale);
  Tensor unit = scales_of(in, w_scale).to(DType::float64).contiguous().clone();
  for (std::int64_t c = 0; c < unit.numel(); ++c) unit.data<double>()[c] *= x;
  return dequantize(in, in.tensor(i), unit.to(DType::float32), nullptr, 0);
}

// Input i is the scale of the result and i + 1 its zero point, whose dtype the result has.
void quantized_result(const In& in, Node& real, std::size_t i) {
  const DType dtype = in.has(i + 1) ? in.type(i + 1).dtype : DType::uint8;
  if (!is_integral(dtype)) in.refuse("a result of dtype " + std::string(name(dtype)));
  const IntegerLimits levels = integer_limits(dtype);
  in.result(in.call("quantized_decomposed.quantize_per_tensor.default",
                    {real, scale_of(in, i), in.known_integer(i + 1, 0, "zero point"), levels.min, levels.max, dtype}));
}

void read_conv(const In& in) {
  Node& x = dequantized(in, 0);
  Node& weight = dequantized(in, 3);
  quantized_result(in, convolution(in, x, weight, 3, bias(in, 8, 1, 4)), 6);
}

void read_matmul(const In& in) {
  Node& a = dequantized(in, 0);
  Node& b = dequantized(in, 3, in.rank(3) - 1);
  quantized_result(in, matrix_product(in, a, b), 6);
}

// A float result where no scale of it is given.
void read_gemm(const In& in) {
  if (in.number("alpha", 1) != 1 || in.integer("transA", 0) != 0) in.refuse("alpha or transA");
  if (in.rank(3) != 2) in.refuse("its second factor is no matrix");
  const bool turn = in.integer("transB", 0) != 0;
  Node& a = dequantized(in, 0);
  Node& matrix = dequantized(in, 3, turn ? 0 : 1);
  Node& b = turn ? in.call("aten.permute.default", {matrix, list_of({1, 0})}) : matrix;
  Node& sum = matrix_product(in, a, b, bias(in, 6, 1, 4));
  if (!in.has(7)) return in.result(sum);
  quantized_result(in, sum, 7);
}

template <OpName kTarget>
void read_two(const In& in) {
  Node& a = dequantized(in, 0);
  quantized_result(in, in.call(kTarget.view(), {a, dequantized(in, 3)}), 6);
}

void read_sigmoid(const In& in) { quantized_result(in, in.call("aten.sigmoid.default", {dequantized(in, 0)}), 3); }

void read_leaky_relu(const In& in) {
  quantized_result(in, in.call("aten.leaky_relu.default", {dequantized(in, 0), in.number("alpha", 0.01F)}), 3);
}

void read_global_average(const In& in) {
  if (in.rank(0) != 4 || in.integer("channels_last", 0) != 0)
    in.refuse("an image [batch, channels, height, width] expected");
  quantized_result(in, in.call("aten.adaptive_avg_pool2d.default", {dequantized(in, 0), list_of({1, 1})}), 3);
}

// Before opset 13, which an attribute says, the dimensions from `axis` on counted as one.
void read_softmax(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", -1), in.rank(0));
  if (in.integer("opset", 13) < 13 && axis != in.rank(0) - 1) in.refuse("a softmax over several dimensions");
  quantized_result(in, in.call("aten.softmax.int", {dequantized(in, 0), axis}), 3);
}

// The scale and zero point of the result come first.
void read_concat(const In& in) {
  Argument::List parts;
  for (std::size_t i = 2; i < in.num_inputs(); i += 3) parts.emplace_back(dequantized(in, i));
  if (parts.empty()) in.refuse("nothing to put together");
  quantized_result(in, in.call("aten.cat.default", {parts, in.axis(in.integer("axis", 0), in.rank(2))}), 0);
}

constexpr ReadRow kRows[] = {
    {"QLinearConv", "dequantize, conv1d, conv2d, conv3d, quantize", read_conv},
    {"QLinearMatMul", "dequantize, linear, matmul, quantize", read_matmul},
    {"com.microsoft.QGemm", "dequantize, linear, quantize", read_gemm},
    {"com.microsoft.QLinearAdd", "dequantize, add, quantize", read_two<"aten.add.Tensor">},
    {"com.microsoft.QLinearMul", "dequantize, mul, quantize", read_two<"aten.mul.Tensor">},
    {"com.microsoft.QLinearSigmoid", "dequantize, sigmoid, quantize", read_sigmoid},
    {"com.microsoft.QLinearLeakyRelu", "dequantize, leaky_relu, quantize", read_leaky_relu},
    {"com.microsoft.QLinearGlobalAveragePool", "dequantize, adaptive_avg_pool2d, quantize", read_global_average},
    {"com.microsoft.QLinearSoftmax", "dequantize, softmax, quantize", read_softmax},
    {"com.microsoft.QLinearConcat", "dequantize, cat, quantize", read_concat},
};

}  // namespace

ReadFamily read_qoperator_ops() { return kRows; }

}  // namespace qdq::onnx
