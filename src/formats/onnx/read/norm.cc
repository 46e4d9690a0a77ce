#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

void read_batch_norm(const In& in) {
  if (in.integer("training_mode", 0) != 0) in.refuse("batch norm in training mode");
  in.result(in.call("aten.batch_norm.default", {in.tensor(0), in.tensor(1), in.tensor(2), in.tensor(3), in.tensor(4),
                                                false, 0.1, in.number("epsilon", 1e-5F), true}));
}

// The sizes from `axis` on, which have to be numbers.
Argument::List normalized_shape(const In& in, std::int64_t axis) {
  Argument::List shape;
  for (std::size_t d = static_cast<std::size_t>(in.axis(axis, in.rank(0))); d < in.type(0).sizes.size(); ++d) {
    const SymInt& size = in.type(0).sizes[d];
    if (size.is_symbolic()) in.refuse("it normalizes over a symbolic size");
    shape.emplace_back(size.value);
  }
  return shape;
}

void read_layer_norm(const In& in) {
  const Argument::List shape = normalized_shape(in, in.integer("axis", -1));
  const Argument::List args{in.tensor(0), shape, in.optional(1), in.optional(2), in.number("epsilon", 1e-5F)};
  if (!in.wants(1) && !in.wants(2)) return in.result(in.call("aten.layer_norm.default", args));
  Node& all = in.call("aten.native_layer_norm.default", args);  // with the mean and the inverse of the deviation
  for (std::size_t i = 0; i < 3; ++i)
    if (in.wants(i)) in.result(in.item(all, static_cast<std::int64_t>(i)), i);
}

void read_rms_norm(const In& in) {
  const Argument::List shape = normalized_shape(in, in.integer("axis", -1));
  in.result(in.call("aten.rms_norm.default", {in.tensor(0), shape, in.optional(1), in.number("epsilon", 1e-5F)}));
}

void read_instance_norm(const In& in) {
  in.result(in.call("aten.instance_norm.default", {in.tensor(0), in.tensor(1), in.tensor(2), Argument(), Argument(),
                                                   true, 0.1, in.number("epsilon", 1e-5F), true}));
}

// Before opset 21 there is a scale and bias for each group, since then for each channel, as in torch.
void read_group_norm(const In& in) {
  const std::int64_t groups = in.integer("num_groups", 1);
  const SymInt& channels = in.size(0, 1);
  if (channels.is_symbolic() || groups < 1 || channels.value % groups != 0)
    in.refuse("groups that do not divide the channels");
  const auto vector = [&](std::size_t i) -> Node& {
    if (in.opset() >= 21) return in.tensor(i);
    return in.call("aten.repeat_interleave.self_int", {in.tensor(i), channels.value / groups});
  };
  Node& weight = vector(1);
  Node& bias = vector(2);
  in.result(in.call("aten.group_norm.default", {in.tensor(0), groups, weight, bias, in.number("epsilon", 1e-5F)}));
}

void read_lp_norm(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", -1), in.rank(0));
  Node& length = in.call("aten.linalg_vector_norm.default",
                         {in.tensor(0), static_cast<double>(in.integer("p", 2)), Argument::List{axis}, true});
  // What has no length stays 0.
  Node& divisor = in.call("aten.where.ScalarSelf", {in.call("aten.eq.Scalar", {length, 0}), 1.0, length});
  in.result(in.call("aten.div.Tensor", {in.tensor(0), divisor}));
}

constexpr ReadRow kRows[] = {
    {"BatchNormalization", "batch_norm", read_batch_norm},
    {"LayerNormalization", "layer_norm, native_layer_norm", read_layer_norm},
    {"RMSNormalization", "rms_norm", read_rms_norm},
    {"InstanceNormalization", "instance_norm", read_instance_norm},
    {"GroupNormalization", "group_norm", read_group_norm},
    {"LpNormalization", "linalg_vector_norm, div", read_lp_norm},
};

}  // namespace

ReadFamily read_norm_ops() { return kRows; }

}  // namespace qdq::onnx
