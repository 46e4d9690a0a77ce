// Sizes as values: symbolic ints are int64[1], symbolic floats double[1] and symbolic bools bool[1].
#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

Names write_sym_size(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  if (op.opset() >= 15) return {op.emit("Shape", {op.in("self")}, {{"start", dim}, {"end", dim + 1}})};
  return {op.emit("Gather", {op.emit("Shape", {op.in("self")}), op.ints({dim})}, {{"axis", std::int64_t{0}}})};
}

Names write_sym_numel(const Op& op) { return {op.reshape(op.emit("Size", {op.in("self")}), {1})}; }

bool is_float(const Op& op, std::string_view name) {
  const Argument& given = op.argument(name);
  if (const Node* producer = given.node()) return std::holds_alternative<ValueType::SymFloatValue>(producer->type.v);
  return given.get_if<double>() != nullptr;
}

// Argument `name` as [1], a double where one of the two is.
Name number(const Op& op, std::string_view name, bool as_float) {
  const Argument& given = op.argument(name);
  if (!as_float) return op.size(given);
  if (!given.node()) return op.emitter().constant(Tensor::full(DType::float64, {1}, given.to_double()));
  return is_float(op, name) ? op.size(given) : op.cast(op.size(given), DType::float64);
}

template <OpName kOp>
Names write_arithmetic(const Op& op) {
  const bool as_float = is_float(op, "a") || is_float(op, "b");
  return {op.emit(kOp.view(), {number(op, "a", as_float), number(op, "b", as_float)})};
}

Names write_truediv(const Op& op) { return {op.emit("Div", {number(op, "a", true), number(op, "b", true)})}; }
// Sizes are not negative: towards zero is down.
Names write_floordiv(const Op& op) {
  const bool as_float = is_float(op, "a") || is_float(op, "b");
  const Name quotient = op.emit("Div", {number(op, "a", as_float), number(op, "b", as_float)});
  return {as_float ? op.emit("Floor", {quotient}) : quotient};
}
Names write_neg(const Op& op) { return {op.emit("Neg", {number(op, "a", is_float(op, "a"))})}; }

Names to_integer(const Op& op, std::string_view rounding) {
  Name value = number(op, "a", is_float(op, "a"));
  if (!is_float(op, "a")) return {value};
  if (!rounding.empty()) value = op.emit(rounding, {value});
  return {op.cast(value, DType::int64)};
}
Names write_trunc(const Op& op) { return to_integer(op, ""); }
Names write_ceil(const Op& op) { return to_integer(op, "Ceil"); }
Names write_floor(const Op& op) { return to_integer(op, "Floor"); }
Names write_sym_float(const Op& op) { return {number(op, "a", true)}; }

Names write_item(const Op& op) {
  const DType dtype = op.dtype("self");
  const DType wanted = is_floating_point(dtype) ? DType::float64 : dtype == DType::bool_ ? dtype : DType::int64;
  return {op.reshape(op.in_as("self", wanted), {1})};
}

constexpr WriteRow kRows[] = {
    {"aten.sym_size.int", "Shape", write_sym_size},
    {"aten.sym_numel.default", "Size", write_sym_numel},
    {"_operator.add", "Add", write_arithmetic<"Add">},
    {"_operator.sub", "Sub", write_arithmetic<"Sub">},
    {"_operator.mul", "Mul", write_arithmetic<"Mul">},
    {"_operator.truediv", "Div", write_truediv},
    {"_operator.floordiv", "Div", write_floordiv},
    {"_operator.mod", "Mod", write_arithmetic<"Mod">},
    {"_operator.pow", "Pow", write_arithmetic<"Pow">},
    {"_operator.neg", "Neg", write_neg},
    {"math.trunc", "Cast", write_trunc},
    {"math.ceil", "Ceil, Cast", write_ceil},
    {"math.floor", "Floor, Cast", write_floor},
    {"torch.sym_float", "Cast", write_sym_float},
    {"torch.sym_int", "Cast", write_trunc},
    {"torch.sym_max", "Max", write_arithmetic<"Max">},
    {"torch.sym_min", "Min", write_arithmetic<"Min">},
    {"aten.item.default", "Cast, Reshape", write_item},
    {"aten._local_scalar_dense.default", "Cast, Reshape", write_item},
};

}  // namespace

WriteFamily write_symbolic_ops() { return kRows; }

}  // namespace qdq::onnx
