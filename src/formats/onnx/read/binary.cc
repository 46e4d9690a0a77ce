// Arithmetic and comparison of tensors, and choices by them.
#include "formats/onnx/op_name.h"
#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

template <OpName kTarget>
void read_two(const In& in) {
  in.result(in.call(kTarget.view(), {in.tensor(0), in.tensor(1)}));
}

// The bias of a MatMul that was read as a linear goes into it.
bool read_as_bias(const In& in) {
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    if (!in.has(i) || in.constant(i)) continue;
    Node& linear = in.tensor(i);
    if (!linear.is("aten.linear.default") || linear.args().size() != 2 || in.importer().uses(in.node.inputs[i]) != 1)
      continue;
    const std::size_t other = 1 - i;
    const auto* type = in.tensor(other).type.tensor();
    const auto* weight = linear.input(1)->type.tensor();
    Node& bias = in.tensor(other);
    if (!type || !weight || type->sizes.size() != 1 || type->sizes[0] != weight->sizes[0] || !bias.is_before(linear))
      continue;
    linear.set_args({linear.arg(0), linear.arg(1), bias});
    in.result(linear);
    return true;
  }
  return false;
}

void read_add(const In& in) {
  if (!read_as_bias(in)) read_two<"aten.add.Tensor">(in);
}

// Integers are divided towards zero.
void read_div(const In& in) {
  if (is_floating_point(in.type(0).dtype)) return read_two<"aten.div.Tensor">(in);
  in.result(in.call("aten.div.Tensor_mode", {in.tensor(0), in.tensor(1)}, {{"rounding_mode", "trunc"}}));
}

// The result has the dtype of the base.
void read_pow(const In& in) {
  const DType dtype = in.type(0).dtype;
  const Tensor* exponent = in.constant(1);
  const bool is_number = exponent && exponent->numel() == 1 && exponent->dim() == 0;
  Node& power = is_number ? in.call("aten.pow.Tensor_Scalar", {in.tensor(0), exponent->to(DType::float64).item()})
                          : in.call("aten.pow.Tensor_Tensor", {in.tensor(0), in.tensor(1)});
  in.result(in.type(power).dtype == dtype ? power : in.call("aten.to.dtype", {power, dtype}));
}

void read_mod(const In& in) {
  in.result(
      in.call(in.integer("fmod", 0) != 0 ? "aten.fmod.Tensor" : "aten.remainder.Tensor", {in.tensor(0), in.tensor(1)}));
}

// Max, Min, Sum and Mean take any number of tensors.
Node& folded(const In& in, std::string_view target) {
  Node* result = &in.tensor(0);
  for (std::size_t i = 1; i < in.num_inputs(); ++i) result = &in.call(target, {*result, in.tensor(i)});
  return *result;
}
void read_max(const In& in) { in.result(folded(in, "aten.maximum.default")); }
void read_min(const In& in) { in.result(folded(in, "aten.minimum.default")); }
void read_sum(const In& in) { in.result(folded(in, "aten.add.Tensor")); }
void read_mean(const In& in) {
  in.result(in.call("aten.div.Scalar", {folded(in, "aten.add.Tensor"), static_cast<double>(in.num_inputs())}));
}

void read_where(const In& in) { in.result(in.call("aten.where.self", {in.tensor(0), in.tensor(1), in.tensor(2)})); }

constexpr ReadRow kRows[] = {
    {"Add", "add; the bias of a linear", read_add},
    {"Sub", "sub", read_two<"aten.sub.Tensor">},
    {"Mul", "mul", read_two<"aten.mul.Tensor">},
    {"Div", "div", read_div},
    {"Pow", "pow", read_pow},
    {"Mod", "remainder, fmod", read_mod},
    {"Max", "maximum", read_max},
    {"Min", "minimum", read_min},
    {"Sum", "add", read_sum},
    {"Mean", "add, div", read_mean},
    {"And", "logical_and", read_two<"aten.logical_and.default">},
    {"Or", "logical_or", read_two<"aten.logical_or.default">},
    {"Xor", "logical_xor", read_two<"aten.logical_xor.default">},
    {"BitwiseAnd", "bitwise_and", read_two<"aten.bitwise_and.Tensor">},
    {"BitwiseOr", "bitwise_or", read_two<"aten.bitwise_or.Tensor">},
    {"BitwiseXor", "bitwise_xor", read_two<"aten.bitwise_xor.Tensor">},
    {"Equal", "eq", read_two<"aten.eq.Tensor">},
    {"Less", "lt", read_two<"aten.lt.Tensor">},
    {"LessOrEqual", "le", read_two<"aten.le.Tensor">},
    {"Greater", "gt", read_two<"aten.gt.Tensor">},
    {"GreaterOrEqual", "ge", read_two<"aten.ge.Tensor">},
    {"Where", "where", read_where},
};

}  // namespace

ReadFamily read_binary_ops() { return kRows; }

}  // namespace qdq::onnx
