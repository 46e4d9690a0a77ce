#include <algorithm>
#include <cctype>
#include <set>

#include "formats/onnx/write/bias.h"
#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

//     rank 2       Gemm(input, weight, bias) with transB
//     other ranks  MatMul(input, Transpose(weight)) + bias
//
// The weight keeps its layout: it may be shared with other ops, and runtimes turn it round when they load it.
Names write_linear(const Op& op) {
  const bool is_matrix = op.call.tensor("weight").dim() == 2;
  if (is_matrix && op.rank("input") == 2)
    return {op.emit("Gemm", {op.in("input"), op.in("weight"), bias(op)}, {{"transB", std::int64_t{1}}})};
  const Name weight = is_matrix ? op.transpose(op.in("weight"), {1, 0}) : op.in("weight");
  const Name product = op.emit("MatMul", {op.in("input"), weight});
  return {op.has("bias") ? op.emit("Add", {product, op.in("bias")}) : product};
}

// matmul, mm, bmm, mv and dot.
Names write_matmul(const Op& op) {
  const auto& args = op.call.schema().args;
  return {op.emit("MatMul", {op.in(args[0].name), op.in(args[1].name)})};
}

Names write_outer(const Op& op) {
  const DType dtype = op.result().dtype;
  return {op.emit("Mul", {op.unsqueeze(op.in_as("self", dtype), {1}), op.in_as("vec2", dtype)})};
}

// beta * self + alpha * (a @ b)
Names write_addmm(const Op& op) {
  const bool batched = op.call.schema().find_arg("batch1") != nullptr;
  const Name a = op.in(batched ? "batch1" : "mat1"), b = op.in(batched ? "batch2" : "mat2");
  const double beta = op.call.number("beta"), alpha = op.call.number("alpha");
  if (!batched && is_floating_point(op.result().dtype))
    return {op.emit("Gemm", {a, b, op.in("self")}, {{"alpha", alpha}, {"beta", beta}})};
  const DType dtype = op.result().dtype;
  Name product = op.emit("MatMul", {a, b});
  if (alpha != 1) product = op.emit("Mul", {product, op.number(alpha, dtype)});
  const Name self = beta == 1 ? op.in("self") : op.emit("Mul", {op.in("self"), op.number(beta, dtype)});
  return {op.emit("Add", {self, product})};
}

Names write_einsum(const Op& op) {
  const std::string& equation = op.call.string("equation");
  std::set<std::ptrdiff_t> unnamed;  // dimensions that "..." stands for in each operand
  std::size_t at = 0;
  for (const Tensor& tensor : op.call.tensors("tensors")) {
    const std::string operand = equation.substr(at, equation.find_first_of(",-", at) - at);
    at += operand.size() + 1;
    if (operand.find("...") == std::string::npos) continue;
    unnamed.insert(tensor.dim() - std::count_if(operand.begin(), operand.end(), [](char c) {
                     return std::isalpha(static_cast<unsigned char>(c)) != 0;
                   }));
  }
  if (unnamed.size() > 1) op.refuse("'...' stands for different numbers of dimensions");
  return {op.emit("Einsum", op.all_in("tensors"), {{"equation", equation}})};
}

constexpr WriteRow kRows[] = {
    {"aten.linear.default", "Gemm; MatMul, Add of other ranks than 2", write_linear},
    {"aten.matmul.default", "MatMul", write_matmul},
    {"aten.mm.default", "MatMul", write_matmul},
    {"aten.bmm.default", "MatMul", write_matmul},
    {"aten.mv.default", "MatMul", write_matmul},
    {"aten.dot.default", "MatMul", write_matmul},
    {"aten.outer.default", "Unsqueeze, Mul", write_outer},
    {"aten.addmm.default", "Gemm", write_addmm},
    {"aten.baddbmm.default", "MatMul, Add", write_addmm},
    {"aten.einsum.default", "Einsum", write_einsum},
};

}  // namespace

WriteFamily write_linear_ops() { return kRows; }

}  // namespace qdq::onnx
