#include "formats/onnx/op_name.h"
#include "formats/onnx/read/family.h"
#include "formats/onnx/read/grid_clamp.h"

namespace qdq::onnx {
namespace {

template <OpName kTarget>
void read_one(const In& in) {
  in.result(in.call(kTarget.view(), {in.tensor(0)}));
}

void read_not(const In& in) { in.result(in.call("aten.logical_not.default", {in.tensor(0)})); }

void read_isinf(const In& in) {
  const bool positive = in.integer("detect_positive", 1) != 0, negative = in.integer("detect_negative", 1) != 0;
  Node& any = in.call("aten.isinf.default", {in.tensor(0)});
  if (positive && negative) return in.result(any);
  if (!positive && !negative) return in.result(in.call("aten.zeros_like.default", {any}));
  Node& side = in.call(positive ? "aten.gt.Scalar" : "aten.lt.Scalar", {in.tensor(0), 0});
  in.result(in.call("aten.logical_and.default", {any, side}));
}

// Clip of the integers of a QuantizeLinear says which levels it has: its quantize takes them over.
bool read_as_levels(const In& in) {
  Node& quantize = in.tensor(0);
  const bool per_tensor = quantize.is("quantized_decomposed.quantize_per_tensor.default");
  const bool per_channel = quantize.is("quantized_decomposed.quantize_per_channel.default");
  if ((!per_tensor && !per_channel) || in.importer().uses(in.node.inputs[0]) != 1) return false;
  const std::size_t first = per_tensor ? 3 : 4;
  const IntegerLimits levels{quantize.arg(first).to_int(), quantize.arg(first + 1).to_int()};
  in.importer().graph().rename(quantize, identifier(in.node.outputs[0]));
  const IntegerLimits limits = integer_limits(in.type(quantize).dtype);
  if (levels.min > limits.min || levels.max < limits.max) {  // a remark of ours has said so already
    in.result(quantize);
    return true;
  }
  quantize.set_arg(first, in.known_integer(1, limits.min, "minimum"));
  quantize.set_arg(first + 1, in.known_integer(2, limits.max, "maximum"));
  in.result(quantize);
  return true;
}

void read_clip(const In& in) {
  if (is_integral(in.type(0).dtype)) {
    if (Node* clamped = clamp_of_remark(in, in.tensor(0))) return in.result(*clamped);
    if (read_as_levels(in)) return;
  }
  if ((in.has(1) && !in.constant(1)) || (in.has(2) && !in.constant(2))) {
    Node* value = &in.tensor(0);
    if (in.has(1)) value = &in.call("aten.maximum.default", {*value, in.tensor(1)});
    if (in.has(2)) value = &in.call("aten.minimum.default", {*value, in.tensor(2)});
    return in.result(*value);
  }
  const bool is_float = is_floating_point(in.type(0).dtype);
  const auto limit = [&](std::size_t i) -> Argument {
    if (!in.has(i)) return {};
    return is_float ? Argument(in.known_number(i, 0, "limit")) : Argument(in.known_integer(i, 0, "limit"));
  };
  const Argument low = limit(1), high = limit(2);
  if (low.is_none() && high.is_none()) return in.result(in.tensor(0));
  if (is_float && !low.is_none() && !high.is_none())
    return in.result(in.call("aten.hardtanh.default", {in.tensor(0), low, high}));
  in.result(in.call("aten.clamp.default", {in.tensor(0), low, high}));
}

constexpr ReadRow kRows[] = {
    {"Abs", "abs", read_one<"aten.abs.default">},
    {"Neg", "neg", read_one<"aten.neg.default">},
    {"Sign", "sign", read_one<"aten.sign.default">},
    {"Floor", "floor", read_one<"aten.floor.default">},
    {"Ceil", "ceil", read_one<"aten.ceil.default">},
    {"Round", "round", read_one<"aten.round.default">},
    {"Exp", "exp", read_one<"aten.exp.default">},
    {"Log", "log", read_one<"aten.log.default">},
    {"Sqrt", "sqrt", read_one<"aten.sqrt.default">},
    {"Reciprocal", "reciprocal", read_one<"aten.reciprocal.default">},
    {"Sin", "sin", read_one<"aten.sin.default">},
    {"Cos", "cos", read_one<"aten.cos.default">},
    {"Tan", "tan", read_one<"aten.tan.default">},
    {"Sinh", "sinh", read_one<"aten.sinh.default">},
    {"Cosh", "cosh", read_one<"aten.cosh.default">},
    {"Asin", "asin", read_one<"aten.asin.default">},
    {"Acos", "acos", read_one<"aten.acos.default">},
    {"Atan", "atan", read_one<"aten.atan.default">},
    {"Asinh", "asinh", read_one<"aten.asinh.default">},
    {"Acosh", "acosh", read_one<"aten.acosh.default">},
    {"Atanh", "atanh", read_one<"aten.atanh.default">},
    {"Erf", "erf", read_one<"aten.erf.default">},
    {"IsNaN", "isnan", read_one<"aten.isnan.default">},
    {"BitwiseNot", "bitwise_not", read_one<"aten.bitwise_not.default">},
    {"Not", "logical_not", read_not},
    {"IsInf", "isinf", read_isinf},
    {"Clip", "hardtanh, clamp; levels of the quantize before it", read_clip},
};

}  // namespace

ReadFamily read_unary_ops() { return kRows; }

}  // namespace qdq::onnx
