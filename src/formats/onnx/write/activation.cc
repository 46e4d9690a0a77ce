#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

Name number(const Op& op, double value) { return op.number(value, op.result().dtype); }
Name self(const Op& op) { return op.in("self"); }

Names write_relu(const Op& op) { return {op.emit("Relu", {self(op)})}; }
Names write_sigmoid(const Op& op) { return {op.emit("Sigmoid", {op.in_as("self", op.result().dtype)})}; }
Names write_tanh(const Op& op) { return {op.emit("Tanh", {op.in_as("self", op.result().dtype)})}; }
Names write_relu6(const Op& op) { return {op.emit("Clip", {self(op), number(op, 0), number(op, 6)})}; }

Names write_hardtanh(const Op& op) {
  return {op.emit("Clip", {self(op), number(op, op.call.number("min_val")), number(op, op.call.number("max_val"))})};
}

// torch's slope is 1 / 6.
Name hardsigmoid(const Op& op) { return op.emit("HardSigmoid", {self(op)}, {{"alpha", 1.0 / 6}, {"beta", 0.5}}); }

Names write_hardsigmoid(const Op& op) { return {hardsigmoid(op)}; }
Names write_hardswish(const Op& op) {
  if (op.opset() >= 14) return {op.emit("HardSwish", {self(op)})};
  return {op.emit("Mul", {self(op), hardsigmoid(op)})};
}

Names write_silu(const Op& op) { return {op.emit("Mul", {self(op), op.emit("Sigmoid", {self(op)})})}; }

Names write_mish(const Op& op) {
  if (op.opset() >= 18) return {op.emit("Mish", {self(op)})};
  return {op.emit("Mul", {self(op), op.emit("Tanh", {op.emit("Softplus", {self(op)})})})};
}

Names write_leaky_relu(const Op& op) {
  return {op.emit("LeakyRelu", {self(op)}, {{"alpha", op.call.number("negative_slope")}})};
}

// scale * (max(0, x) + min(0, alpha * (exp(input_scale * x) - 1)))
Names write_elu(const Op& op) {
  if (op.call.number("input_scale") != 1) op.refuse("elu with an input_scale");
  const Name result = op.emit("Elu", {self(op)}, {{"alpha", op.call.number("alpha")}});
  if (op.call.number("scale") == 1) return {result};
  return {op.emit("Mul", {result, number(op, op.call.number("scale"))})};
}

Names write_selu(const Op& op) { return {op.emit("Selu", {self(op)})}; }
Names write_celu(const Op& op) { return {op.emit("Celu", {self(op)}, {{"alpha", op.call.number("alpha")}})}; }

// torch's slopes belong to dimension 1, ONNX's broadcast from the right.
Names write_prelu(const Op& op) {
  Name slope = op.in("weight");
  const std::int64_t rank = op.rank("self");
  if (op.call.tensor("weight").numel() > 1 && rank > 2) {
    Shape dims;
    for (std::int64_t d = 1; d < rank - 1; ++d) dims.push_back(d);
    slope = op.unsqueeze(slope, dims);
  }
  return {op.emit("PRelu", {self(op), slope})};
}

// Softplus of beta * x over beta; torch is linear above the threshold, where the difference is below float32's.
Names write_softplus(const Op& op) {
  const double beta = op.call.number("beta");
  if (op.call.number("threshold") * beta < 20 * beta) op.refuse("a threshold below 20");
  if (beta == 1) return {op.emit("Softplus", {self(op)})};
  const Name scaled = op.emit("Mul", {self(op), number(op, beta)});
  return {op.emit("Div", {op.emit("Softplus", {scaled}), number(op, beta)})};
}

Names write_log_sigmoid(const Op& op) { return {op.emit("Neg", {op.emit("Softplus", {op.emit("Neg", {self(op)})})})}; }

Names write_threshold(const Op& op) {
  const Name above = op.emit("Greater", {self(op), number(op, op.call.number("threshold"))});
  return {op.emit("Where", {above, self(op), number(op, op.call.number("value"))})};
}

// x - clamp(x, -lambd, lambd). ONNX's Shrink makes 0 of NaN.
Names write_softshrink(const Op& op) {
  const double lambda = op.call.number("lambd");
  return {op.emit("Sub", {self(op), op.emit("Clip", {self(op), number(op, -lambda), number(op, lambda)})})};
}
Names write_hardshrink(const Op& op) {
  const Name is_small = op.emit("LessOrEqual", {op.emit("Abs", {self(op)}), number(op, op.call.number("lambd"))});
  return {op.emit("Where", {is_small, number(op, 0), self(op)})};
}

Names write_gelu(const Op& op) {
  const bool tanh = op.call.string("approximate") == "tanh";
  if (op.opset() >= 20) return {op.emit("Gelu", {self(op)}, {{"approximate", std::string(tanh ? "tanh" : "none")}})};
  const Name x = self(op);
  Name inner;
  if (tanh) {  // sqrt(2 / pi) * (x + 0.044715 * x^3)
    const Name cube = op.emit("Mul", {op.emit("Mul", {x, x}), x});
    const Name sum = op.emit("Add", {x, op.emit("Mul", {cube, number(op, 0.044715)})});
    inner = op.emit("Tanh", {op.emit("Mul", {sum, number(op, 0.79788456080286535588)})});
  } else {
    inner = op.emit("Erf", {op.emit("Mul", {x, number(op, 0.70710678118654752440)})});
  }
  const Name half = op.emit("Mul", {x, number(op, 0.5)});
  return {op.emit("Mul", {half, op.emit("Add", {inner, number(op, 1)})})};
}

Names write_glu(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  const std::int64_t half = op.call.tensor("self").size(dim) / 2;
  const Names halves = op.emit_many("Split", {self(op), op.ints({half, half})}, 2, {{"axis", dim}});
  return {op.emit("Mul", {halves[0], op.emit("Sigmoid", {halves[1]})})};
}

Names write_softmax_as(const Op& op, std::string_view name) {
  const Name x = op.in_as("self", op.result().dtype);
  const std::int64_t rank = op.rank("self");
  if (rank == 0) return {op.squeeze(op.emit(name, {op.unsqueeze(x, {0})}, {{"axis", std::int64_t{0}}}), {0})};
  return {op.emit(name, {x}, {{"axis", op.call.dim("dim", rank)}})};
}
Names write_softmax(const Op& op) { return write_softmax_as(op, "Softmax"); }
Names write_log_softmax(const Op& op) { return write_softmax_as(op, "LogSoftmax"); }

constexpr WriteRow kRows[] = {
    {"aten.relu.default", "Relu", write_relu},
    {"aten.relu6.default", "Clip", write_relu6},
    {"aten.hardtanh.default", "Clip", write_hardtanh},
    {"aten.sigmoid.default", "Sigmoid", write_sigmoid},
    {"aten.tanh.default", "Tanh", write_tanh},
    {"aten.hardsigmoid.default", "HardSigmoid", write_hardsigmoid},
    {"aten.hardswish.default", "HardSwish; HardSigmoid, Mul before opset 14", write_hardswish},
    {"aten.silu.default", "Sigmoid, Mul", write_silu},
    {"aten.mish.default", "Mish; Softplus, Tanh, Mul before opset 18", write_mish},
    {"aten.leaky_relu.default", "LeakyRelu", write_leaky_relu},
    {"aten.elu.default", "Elu", write_elu},
    {"aten.selu.default", "Selu", write_selu},
    {"aten.celu.default", "Celu", write_celu},
    {"aten.prelu.default", "PRelu", write_prelu},
    {"aten.softplus.default", "Softplus", write_softplus},
    {"aten.log_sigmoid.default", "Softplus, Neg", write_log_sigmoid},
    {"aten.threshold.default", "Greater, Where", write_threshold},
    {"aten.softshrink.default", "Clip, Sub", write_softshrink},
    {"aten.hardshrink.default", "Abs, LessOrEqual, Where", write_hardshrink},
    {"aten.gelu.default", "Gelu; Erf or Tanh, Mul, Add before opset 20", write_gelu},
    {"aten.glu.default", "Split, Sigmoid, Mul", write_glu},
    {"aten.softmax.int", "Softmax", write_softmax},
    {"aten._softmax.default", "Softmax", write_softmax},
    {"aten.log_softmax.int", "LogSoftmax", write_log_softmax},
    {"aten._log_softmax.default", "LogSoftmax", write_log_softmax},
};

}  // namespace

WriteFamily write_activation_ops() { return kRows; }

}  // namespace qdq::onnx
