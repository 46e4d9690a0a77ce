// Functions of one tensor, element by element.
#include "formats/onnx/write/family.h"
#include "ops/promotion.h"

namespace qdq::onnx {
namespace {

// The argument in the result's dtype: exp of integers is a float.
Name argument_of(const Op& op) { return op.in_as("self", op.result().dtype); }

// Ops that ONNX has under a name of its own.
template <OpName kOp>
Names write_one(const Op& op) {
  return {op.emit(kOp.view(), {argument_of(op)})};
}

// floor, ceil and round of integers are the integers.
template <OpName kOp>
Names write_rounding(const Op& op) {
  return {is_floating_point(op.dtype("self")) ? op.emit(kOp.view(), {op.in("self")}) : op.in("self")};
}

Names write_trunc(const Op& op) {
  const Name x = op.in("self");
  if (!is_floating_point(op.dtype("self"))) return {x};
  return {op.emit("Mul", {op.emit("Sign", {x}), op.emit("Floor", {op.emit("Abs", {x})})})};
}

Names write_square(const Op& op) { return {op.emit("Mul", {op.in("self"), op.in("self")})}; }

Names write_bitwise_not(const Op& op) {
  if (op.dtype("self") == DType::bool_) return {op.emit("Not", {op.in("self")})};
  op.need_opset(18, "BitwiseNot");
  return {op.emit("BitwiseNot", {op.in("self")})};
}

Names write_logical_not(const Op& op) { return {op.emit("Not", {op.in_as("self", DType::bool_)})}; }

Names write_expm1(const Op& op) {
  return {op.emit("Sub", {op.emit("Exp", {argument_of(op)}), op.number(1, op.result().dtype)})};
}

Names write_log1p(const Op& op) {
  return {op.emit("Log", {op.emit("Add", {argument_of(op), op.number(1, op.result().dtype)})})};
}

Names write_log_to_base(const Op& op, double log_of_base) {
  return {op.emit("Div", {op.emit("Log", {argument_of(op)}), op.number(log_of_base, op.result().dtype)})};
}
Names write_log2(const Op& op) { return write_log_to_base(op, 0.69314718055994530942); }
Names write_log10(const Op& op) { return write_log_to_base(op, 2.30258509299404568402); }

Names write_rsqrt(const Op& op) { return {op.emit("Reciprocal", {op.emit("Sqrt", {argument_of(op)})})}; }

Name float_self(const Op& op) {
  const DType dtype = op.dtype("self");
  return is_floating_point(dtype) ? op.in("self") : op.cast(op.in("self"), DType::float32);
}

Names write_isnan(const Op& op) { return {op.emit("IsNaN", {float_self(op)})}; }
Names write_isinf(const Op& op) { return {op.emit("IsInf", {float_self(op)})}; }
Names write_isfinite(const Op& op) {
  const Name x = float_self(op);
  return {op.emit("Not", {op.emit("Or", {op.emit("IsNaN", {x}), op.emit("IsInf", {x})})})};
}

// clamp with numbers or tensors; one limit may be missing.
Names write_clamp(const Op& op) {
  const DType dtype = op.result().dtype;
  const bool has_min = op.call.schema().find_arg("min") && op.has("min");
  const bool has_max = op.call.schema().find_arg("max") && op.has("max");
  const auto is_tensor = [&](const char* name) { return op.call.arg(name).tensor() != nullptr; };
  const Name x = op.in_as("self", dtype);
  if ((has_min && is_tensor("min")) || (has_max && is_tensor("max"))) {
    Name result = x;
    if (has_min) result = op.emit("Max", {result, op.in_as("min", dtype)});
    if (has_max) result = op.emit("Min", {result, op.in_as("max", dtype)});
    return {result};
  }
  return {op.emit("Clip", {x, has_min ? op.in_as("min", dtype) : "", has_max ? op.in_as("max", dtype) : ""})};
}

constexpr WriteRow kRows[] = {
    {"aten.abs.default", "Abs", write_one<"Abs">},
    {"aten.neg.default", "Neg", write_one<"Neg">},
    {"aten.sign.default", "Sign", write_one<"Sign">},
    {"aten.floor.default", "Floor", write_rounding<"Floor">},
    {"aten.ceil.default", "Ceil", write_rounding<"Ceil">},
    {"aten.round.default", "Round", write_rounding<"Round">},
    {"aten.trunc.default", "Sign, Abs, Floor, Mul", write_trunc},
    {"aten.square.default", "Mul", write_square},
    {"aten.bitwise_not.default", "Not, BitwiseNot", write_bitwise_not},
    {"aten.logical_not.default", "Not", write_logical_not},
    {"aten.exp.default", "Exp", write_one<"Exp">},
    {"aten.expm1.default", "Exp, Sub", write_expm1},
    {"aten.log.default", "Log", write_one<"Log">},
    {"aten.log1p.default", "Add, Log", write_log1p},
    {"aten.log2.default", "Log, Div", write_log2},
    {"aten.log10.default", "Log, Div", write_log10},
    {"aten.sqrt.default", "Sqrt", write_one<"Sqrt">},
    {"aten.rsqrt.default", "Sqrt, Reciprocal", write_rsqrt},
    {"aten.reciprocal.default", "Reciprocal", write_one<"Reciprocal">},
    {"aten.sin.default", "Sin", write_one<"Sin">},
    {"aten.cos.default", "Cos", write_one<"Cos">},
    {"aten.tan.default", "Tan", write_one<"Tan">},
    {"aten.sinh.default", "Sinh", write_one<"Sinh">},
    {"aten.cosh.default", "Cosh", write_one<"Cosh">},
    {"aten.asin.default", "Asin", write_one<"Asin">},
    {"aten.acos.default", "Acos", write_one<"Acos">},
    {"aten.atan.default", "Atan", write_one<"Atan">},
    {"aten.asinh.default", "Asinh", write_one<"Asinh">},
    {"aten.acosh.default", "Acosh", write_one<"Acosh">},
    {"aten.atanh.default", "Atanh", write_one<"Atanh">},
    {"aten.erf.default", "Erf", write_one<"Erf">},
    {"aten.isnan.default", "IsNaN", write_isnan},
    {"aten.isinf.default", "IsInf", write_isinf},
    {"aten.isfinite.default", "IsNaN, IsInf, Or, Not", write_isfinite},
    {"aten.clamp.default", "Clip", write_clamp},
    {"aten.clamp.Tensor", "Max, Min", write_clamp},
    {"aten.clamp_min.default", "Clip", write_clamp},
    {"aten.clamp_max.default", "Clip", write_clamp},
};

}  // namespace

WriteFamily write_unary_ops() { return kRows; }

}  // namespace qdq::onnx
