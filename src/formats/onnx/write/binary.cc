// Arithmetic of two tensors. ONNX wants both in one dtype, so they are cast to the one that torch computes in.
#include "formats/onnx/write/family.h"
#include "ops/promotion.h"

namespace qdq::onnx {
namespace {

// The second argument is called "exponent" by pow.
std::string_view second(const Op& op) { return op.call.schema().args[1].name; }

DType compute_dtype(const Op& op) { return result_type({op.call.arg("self"), op.call.arg(second(op))}); }

// In-place ops and divisions have another dtype than they compute in.
Name as_result(const Op& op, const Name& value, DType computed) {
  return computed == op.result().dtype ? value : op.cast(value, op.result().dtype);
}

Names write_as(const Op& op, std::string_view name, DType dtype) {
  return {as_result(op, op.emit(name, {op.in_as("self", dtype), op.in_as(second(op), dtype)}), dtype)};
}

// `name` times alpha.
Name scaled(const Op& op, std::string_view name, DType dtype) {
  const double alpha = op.call.number("alpha");
  const Name value = op.in_as(name, dtype);
  return alpha == 1 ? value : op.emit("Mul", {value, op.number(alpha, dtype)});
}

Names write_add(const Op& op) {
  const DType dtype = compute_dtype(op);
  if (dtype == DType::bool_) return {op.emit("Or", {op.in("self"), op.in_as("other", dtype)})};
  return {as_result(op, op.emit("Add", {op.in_as("self", dtype), scaled(op, "other", dtype)}), dtype)};
}
Names write_sub(const Op& op) {
  const DType dtype = compute_dtype(op);
  return {as_result(op, op.emit("Sub", {op.in_as("self", dtype), scaled(op, "other", dtype)}), dtype)};
}
Names write_rsub(const Op& op) {
  const DType dtype = compute_dtype(op);
  return {as_result(op, op.emit("Sub", {op.in_as("other", dtype), scaled(op, "self", dtype)}), dtype)};
}

Names write_mul(const Op& op) {
  const DType dtype = compute_dtype(op);
  return write_as(op, dtype == DType::bool_ ? "And" : "Mul", dtype);
}

Names write_div(const Op& op) { return write_as(op, "Div", float_result(compute_dtype(op))); }

// Floats through Floor. ONNX divides integers towards zero: one less where the signs differ and something is left.
Name floor_divided(const Op& op, DType dtype) {
  const Name a = op.in_as("self", dtype), b = op.in_as("other", dtype);
  const Name quotient = op.emit("Div", {a, b});
  if (is_floating_point(dtype)) return op.emit("Floor", {quotient});
  const Name left = op.emit("Sub", {a, op.emit("Mul", {quotient, b})});
  const Name zero = op.number(0, dtype);
  const Name signs_differ = op.emit("Xor", {op.emit("Less", {left, zero}), op.emit("Less", {b, zero})});
  const Name has_rest = op.emit("Not", {op.emit("Equal", {left, zero})});
  return op.emit("Sub", {quotient, op.cast(op.emit("And", {signs_differ, has_rest}), dtype)});
}

Names write_floor_divide(const Op& op) {
  const DType dtype = compute_dtype(op);
  return {as_result(op, floor_divided(op, dtype), dtype)};
}

Names write_div_mode(const Op& op) {
  if (!op.has("rounding_mode")) return write_div(op);
  if (op.call.string("rounding_mode") == "floor") return write_floor_divide(op);
  const DType dtype = compute_dtype(op);
  const Name quotient = op.emit("Div", {op.in_as("self", dtype), op.in_as("other", dtype)});
  if (!is_floating_point(dtype)) return {as_result(op, quotient, dtype)};
  const Name size = op.emit("Floor", {op.emit("Abs", {quotient})});
  return {op.emit("Mul", {op.emit("Sign", {quotient}), size})};
}

// The sign of the divisor. ONNX's Mod with fmod=0 has it too, but for integers only.
Names write_remainder(const Op& op) {
  const DType dtype = compute_dtype(op);
  if (!is_floating_point(dtype)) return write_as(op, "Mod", dtype);
  const Name product = op.emit("Mul", {floor_divided(op, dtype), op.in_as("other", dtype)});
  return {op.emit("Sub", {op.in_as("self", dtype), product})};
}

Names write_fmod(const Op& op) {
  const DType dtype = compute_dtype(op);
  return {as_result(
      op, op.emit("Mod", {op.in_as("self", dtype), op.in_as("other", dtype)}, {{"fmod", std::int64_t{1}}}), dtype)};
}

Names write_pow(const Op& op) { return write_as(op, "Pow", compute_dtype(op)); }
Names write_maximum(const Op& op) { return write_as(op, "Max", compute_dtype(op)); }
Names write_minimum(const Op& op) { return write_as(op, "Min", compute_dtype(op)); }

Names write_bitwise(const Op& op, std::string_view logical, std::string_view bitwise) {
  const DType dtype = compute_dtype(op);
  if (dtype != DType::bool_) op.need_opset(18, bitwise);
  return write_as(op, dtype == DType::bool_ ? logical : bitwise, dtype);
}
Names write_and(const Op& op) { return write_bitwise(op, "And", "BitwiseAnd"); }
Names write_or(const Op& op) { return write_bitwise(op, "Or", "BitwiseOr"); }
Names write_xor(const Op& op) { return write_bitwise(op, "Xor", "BitwiseXor"); }

// self + weight * (end - self)
Names write_lerp(const Op& op) {
  const DType dtype = op.result().dtype;
  const Name self = op.in("self");
  const Name difference = op.emit("Sub", {op.in("end"), self});
  return {op.emit("Add", {self, op.emit("Mul", {difference, op.number(op.call.number("weight"), dtype)})})};
}

// self + value * tensor1 (* or /) tensor2
Names write_addc(const Op& op, std::string_view name) {
  const DType dtype = op.result().dtype;
  Name term = op.emit(name, {op.in_as("tensor1", dtype), op.in_as("tensor2", dtype)});
  if (op.call.number("value") != 1) term = op.emit("Mul", {term, op.number(op.call.number("value"), dtype)});
  return {op.emit("Add", {op.in_as("self", dtype), term})};
}
Names write_addcmul(const Op& op) { return write_addc(op, "Mul"); }
Names write_addcdiv(const Op& op) { return write_addc(op, "Div"); }

constexpr WriteRow kRows[] = {
    {"aten.add.Tensor", "Add", write_add},
    {"aten.add.Scalar", "Add", write_add},
    {"aten.sub.Tensor", "Sub", write_sub},
    {"aten.sub.Scalar", "Sub", write_sub},
    {"aten.rsub.Tensor", "Sub", write_rsub},
    {"aten.rsub.Scalar", "Sub", write_rsub},
    {"aten.mul.Tensor", "Mul", write_mul},
    {"aten.mul.Scalar", "Mul", write_mul},
    {"aten.div.Tensor", "Div", write_div},
    {"aten.div.Scalar", "Div", write_div},
    {"aten.div.Tensor_mode", "Div, Floor", write_div_mode},
    {"aten.div.Scalar_mode", "Div, Floor", write_div_mode},
    {"aten.floor_divide.default", "Div, Floor", write_floor_divide},
    {"aten.floor_divide.Scalar", "Div, Floor", write_floor_divide},
    {"aten.remainder.Tensor", "Mod; Div, Floor, Mul, Sub of floats", write_remainder},
    {"aten.remainder.Scalar", "Mod; Div, Floor, Mul, Sub of floats", write_remainder},
    {"aten.fmod.Tensor", "Mod", write_fmod},
    {"aten.fmod.Scalar", "Mod", write_fmod},
    {"aten.pow.Tensor_Tensor", "Pow", write_pow},
    {"aten.pow.Tensor_Scalar", "Pow", write_pow},
    {"aten.pow.Scalar", "Pow", write_pow},
    {"aten.pow.Tensor", "Pow", write_pow},  // of pow_.Tensor
    {"aten.maximum.default", "Max", write_maximum},
    {"aten.minimum.default", "Min", write_minimum},
    {"aten.max.other", "Max", write_maximum},
    {"aten.min.other", "Min", write_minimum},
    {"aten.bitwise_and.Tensor", "And, BitwiseAnd", write_and},
    {"aten.bitwise_or.Tensor", "Or, BitwiseOr", write_or},
    {"aten.bitwise_xor.Tensor", "Xor, BitwiseXor", write_xor},
    {"aten.bitwise_and.Scalar", "And, BitwiseAnd", write_and},
    {"aten.bitwise_or.Scalar", "Or, BitwiseOr", write_or},
    {"aten.__and__.Tensor", "And, BitwiseAnd", write_and},
    {"aten.__or__.Tensor", "Or, BitwiseOr", write_or},
    {"aten.__and__.Scalar", "And, BitwiseAnd", write_and},
    {"aten.__or__.Scalar", "Or, BitwiseOr", write_or},
    {"aten.lerp.Scalar", "Sub, Mul, Add", write_lerp},
    {"aten.addcmul.default", "Mul, Add", write_addcmul},
    {"aten.addcdiv.default", "Div, Mul, Add", write_addcdiv},
};

}  // namespace

WriteFamily write_binary_ops() { return kRows; }

}  // namespace qdq::onnx
