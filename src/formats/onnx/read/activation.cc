#include <cmath>

#include "formats/onnx/op_name.h"
#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

template <OpName kTarget>
void read_one(const In& in) {
  in.result(in.call(kTarget.view(), {in.tensor(0)}));
}

void read_leaky_relu(const In& in) {
  in.result(in.call("aten.leaky_relu.default", {in.tensor(0), in.number("alpha", 0.01F)}));
}
void read_elu(const In& in) { in.result(in.call("aten.elu.default", {in.tensor(0), in.number("alpha", 1)})); }
void read_celu(const In& in) { in.result(in.call("aten.celu.default", {in.tensor(0), in.number("alpha", 1)})); }

// gamma * (x for x > 0, else alpha * (exp(x) - 1)); the defaults are torch's numbers.
void read_selu(const In& in) {
  if (!in.has_attribute("alpha") && !in.has_attribute("gamma"))
    return in.result(in.call("aten.selu.default", {in.tensor(0)}));
  Node& elu = in.call("aten.elu.default", {in.tensor(0), in.number("alpha", 1.67326319217681884765625)});
  in.result(in.call("aten.mul.Scalar", {elu, in.number("gamma", 1.05070102214813232421875)}));
}

// torch's slope belongs to dimension 1; a slope of another shape is written out.
void read_prelu(const In& in) {
  Node& x = in.tensor(0);
  const std::int64_t rank = in.rank(0);
  const std::vector<SymInt> slope = in.type(1).sizes;
  const auto slopes = static_cast<std::int64_t>(slope.size());
  const auto is_one_but_in = [&](std::int64_t dim) {
    for (std::int64_t d = 0; d < slopes; ++d)
      if (d != dim && slope[static_cast<std::size_t>(d)] != SymInt(1)) return false;
    return true;
  };
  const bool is_channels = is_one_but_in(-1) || (rank >= 2 && slopes == rank - 1 && is_one_but_in(0)) ||
                           (rank >= 2 && slopes == rank && is_one_but_in(1)) || (rank == 2 && slopes == 1);
  if (is_channels) {
    Node& flat = in.call("aten.reshape.default", {in.tensor(1), Argument::List{-1}});
    return in.result(in.call("aten.prelu.default", {x, flat}));
  }
  Node& below = in.call("aten.mul.Tensor", {x, in.tensor(1)});
  in.result(in.call("aten.where.self", {in.call("aten.gt.Scalar", {x, 0}), x, below}));
}

// max(0, min(1, alpha * x + beta))
void read_hardsigmoid(const In& in) {
  const double alpha = in.number("alpha", 0.2F), beta = in.number("beta", 0.5);
  if (std::abs(alpha - 1.0 / 6) < 1e-6 && beta == 0.5)
    return in.result(in.call("aten.hardsigmoid.default", {in.tensor(0)}));
  Node& line = in.call("aten.add.Scalar", {in.call("aten.mul.Scalar", {in.tensor(0), alpha}), beta});
  in.result(in.call("aten.clamp.default", {line, 0.0, 1.0}));
}

void read_softsign(const In& in) {
  Node& size = in.call("aten.add.Scalar", {in.call("aten.abs.default", {in.tensor(0)}), 1.0});
  in.result(in.call("aten.div.Tensor", {in.tensor(0), size}));
}

void read_thresholded_relu(const In& in) {
  in.result(in.call("aten.threshold.default", {in.tensor(0), in.number("alpha", 1), 0.0}));
}

void read_shrink(const In& in) {
  const double bias = in.number("bias", 0), lambda = in.number("lambd", 0.5);
  if (bias == 0) return in.result(in.call("aten.hardshrink.default", {in.tensor(0), lambda}));
  if (bias == lambda) return in.result(in.call("aten.softshrink.default", {in.tensor(0), lambda}));
  in.refuse("a bias that is neither 0 nor lambd");
}

void read_gelu(const In& in) {
  in.result(in.call("aten.gelu.default", {in.tensor(0)}, {{"approximate", in.text("approximate", "none")}}));
}

// Before opset 13 the dimensions from `axis` on counted as one.
void read_softmax_as(const In& in, std::string_view target) {
  Node& x = in.tensor(0);
  const std::int64_t rank = in.rank(0);
  if (in.opset() >= 13) return in.result(in.call(target, {x, in.axis(in.integer("axis", -1), rank)}));
  const std::int64_t axis = in.axis(in.integer("axis", 1), rank);
  if (axis == rank - 1) return in.result(in.call(target, {x, axis}));
  Argument::List sizes;
  for (std::int64_t d = 0; d < rank; ++d) sizes.push_back(in.size_of(x, d));
  Node& flat = in.call("aten.flatten.using_ints", {x, axis, -1});
  in.result(in.call("aten.reshape.default", {in.call(target, {flat, axis}), sizes}));
}
void read_softmax(const In& in) { read_softmax_as(in, "aten.softmax.int"); }
void read_log_softmax(const In& in) { read_softmax_as(in, "aten.log_softmax.int"); }

constexpr ReadRow kRows[] = {
    {"Relu", "relu", read_one<"aten.relu.default">},
    {"Sigmoid", "sigmoid", read_one<"aten.sigmoid.default">},
    {"Tanh", "tanh", read_one<"aten.tanh.default">},
    {"HardSwish", "hardswish", read_one<"aten.hardswish.default">},
    {"Softplus", "softplus", read_one<"aten.softplus.default">},
    {"Mish", "mish", read_one<"aten.mish.default">},
    {"LeakyRelu", "leaky_relu", read_leaky_relu},
    {"PRelu", "prelu; gt, mul, where", read_prelu},
    {"Elu", "elu", read_elu},
    {"Selu", "selu; elu, mul", read_selu},
    {"Celu", "celu", read_celu},
    {"HardSigmoid", "hardsigmoid; mul, add, clamp", read_hardsigmoid},
    {"Softsign", "abs, add, div", read_softsign},
    {"ThresholdedRelu", "threshold", read_thresholded_relu},
    {"Shrink", "hardshrink, softshrink", read_shrink},
    {"Gelu", "gelu", read_gelu},
    {"Softmax", "softmax", read_softmax},
    {"LogSoftmax", "log_softmax", read_log_softmax},
};

}  // namespace

ReadFamily read_activation_ops() { return kRows; }

}  // namespace qdq::onnx
