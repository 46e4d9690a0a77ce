// Matrix products. One with a stored matrix is a linear, whose weight is the matrix turned round:
//
//     MatMul(x, W)                          linear(x, W^T)
//     MatMul(x, DequantizeLinear(W))        linear(x, dequantize(W^T))
//     MatMul(x, Transpose(W))               linear(x, W)
#include "formats/onnx/read/linear.h"

#include "formats/onnx/read/family.h"
#include "tensor/quant_math.h"

namespace qdq::onnx {
namespace {

bool is_dequantize(const Node& node) {
  return node.is("quantized_decomposed.dequantize_per_tensor.default") ||
         node.is("quantized_decomposed.dequantize_per_channel.default");
}

bool is_stored(const Node& node) {
  return node.kind() == NodeKind::get_attr || (is_dequantize(node) && node.input(0)->kind() == NodeKind::get_attr);
}

// The stored matrix [K, N] as [N, K]: the same bytes with other strides.
Node& turned_attribute(const In& in, const Node& get_attr, const Tensor& value) {
  const Shape order = {1, 0};
  return in.attribute(get_attr.target(), value.permute(order));
}

// A weight [N, K] for a matrix [K, N], or null when it is no stored one.
Node* weight_of(const In& in, Node& matrix) {
  const Program& program = in.importer().program();
  const TensorMeta* type = matrix.type.tensor();
  if (!type || type->sizes.size() != 2) return nullptr;
  if (matrix.is("aten.permute.default") && is_stored(*matrix.input(0))) return matrix.input(0);
  if (matrix.kind() == NodeKind::get_attr) return &turned_attribute(in, matrix, program.tensor_of(matrix));
  if (!is_stored(matrix)) return nullptr;
  const Node& stored = *matrix.input(0);
  Node& turned = turned_attribute(in, stored, program.tensor_of(stored));
  Argument::List args = matrix.args();
  args[0] = turned;
  if (matrix.is("quantized_decomposed.dequantize_per_channel.default")) args[3] = 1 - matrix.arg(3).to_int();
  return &in.call(matrix.target(), args, matrix.kwargs());
}

void read_matmul(const In& in) { in.result(matrix_product(in, in.tensor(0), in.tensor(1))); }

Node& turned(const In& in, Node& matrix) { return in.call("aten.permute.default", {matrix, Argument::List{1, 0}}); }

// alpha * A @ B + beta * C
void read_gemm(const In& in) {
  const double alpha = in.number("alpha", 1), beta = in.number("beta", 1);
  Node& a = in.integer("transA", 0) != 0 ? turned(in, in.tensor(0)) : in.tensor(0);
  const bool turn = in.integer("transB", 0) != 0;
  const bool has_vector = in.has(2) && in.type(2).sizes.size() == 1 && in.type(2).sizes[0] == in.size(1, turn ? 0 : 1);
  if (alpha == 1 && beta == 1 && is_floating_point(in.type(0).dtype) && (!in.has(2) || has_vector)) {
    Node* weight = turn ? &in.tensor(1) : weight_of(in, in.tensor(1));
    if (!weight) weight = &turned(in, in.tensor(1));
    Argument::List args{a, *weight};
    if (in.has(2)) args.emplace_back(in.tensor(2));
    return in.result(in.call("aten.linear.default", args));
  }
  Node& b = turn ? turned(in, in.tensor(1)) : in.tensor(1);
  const DType dtype = in.type(0).dtype;
  const auto scaled = [&](Node& value, double factor) -> Node& {
    if (factor == 1) return value;
    const Argument number = is_floating_point(dtype) ? Argument(factor) : float_to_integer<std::int64_t>(factor);
    return in.call("aten.mul.Scalar", {value, number});
  };
  Node& product = scaled(in.call("aten.matmul.default", {a, b}), alpha);
  in.result(in.has(2) ? in.call("aten.add.Tensor", {product, scaled(in.tensor(2), beta)}) : product);
}

void read_einsum(const In& in) {
  Argument::List tensors;
  for (std::size_t i = 0; i < in.num_inputs(); ++i) tensors.emplace_back(in.tensor(i));
  in.result(in.call("aten.einsum.default", {in.text("equation", ""), tensors}));
}

constexpr ReadRow kRows[] = {
    {"MatMul", "linear; matmul of two computed tensors", read_matmul},
    {"Gemm", "linear; matmul, mul, add", read_gemm},
    {"Einsum", "einsum", read_einsum},
};

}  // namespace

Node& matrix_product(const In& in, Node& a, Node& b, const Argument& bias) {
  const TensorMeta* type = a.type.tensor();
  if (type && is_floating_point(type->dtype) && !type->sizes.empty())
    if (Node* weight = weight_of(in, b))
      return bias.is_none() ? in.call("aten.linear.default", {a, *weight})
                            : in.call("aten.linear.default", {a, *weight, bias});
  Node& product = in.call("aten.matmul.default", {a, b});
  return bias.is_none() ? product : in.call("aten.add.Tensor", {product, bias});
}

ReadFamily read_linear_ops() { return kRows; }

}  // namespace qdq::onnx
