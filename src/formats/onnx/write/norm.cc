#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

// A vector of `count` equal numbers stands for a weight or bias that is left out.
Name vector(const Op& op, std::string_view name, std::int64_t count, double otherwise) {
  if (op.has(name)) return op.in(name);
  return op.emitter().constant(Tensor::full(op.dtype("input"), {count}, otherwise));
}

Names write_batch_norm(const Op& op) {
  if (op.call.schema().find_arg("training") && op.call.boolean("training"))
    op.refuse("batch norm in training mode; export the model in evaluation mode");
  if (!op.has("running_mean")) op.refuse("batch norm without running statistics");
  const std::int64_t channels = op.call.tensor("running_mean").numel();
  Names results{op.emit("BatchNormalization",
                        {op.in("input"), vector(op, "weight", channels, 1), vector(op, "bias", channels, 0),
                         op.in("running_mean"), op.in("running_var")},
                        {{"epsilon", op.call.number("eps")}})};
  results.resize(op.call.schema().returns.size());  // the saved statistics are for training
  return results;
}

// Of the last dimensions.
struct Moments {
  Name mean;
  Name difference;  // x - mean
  Name deviation;   // sqrt(var + eps)
};
Moments moments(const Op& op, const Name& x, const Shape& dims) {
  const Name mean = op.reduce("ReduceMean", x, dims, true);
  const Name difference = op.emit("Sub", {x, mean});
  const Name variance = op.reduce("ReduceMean", op.emit("Mul", {difference, difference}), dims, true);
  const Name eps = op.number(op.call.number("eps"), op.dtype("input"));
  return {mean, difference, op.emit("Sqrt", {op.emit("Add", {variance, eps})})};
}

Name normalized(const Op& op, const Moments& of) { return op.emit("Div", {of.difference, of.deviation}); }

// The mean and the inverse of the deviation, which native_layer_norm returns too, are nodes of their own, left out where nobody
// reads them: runtimes look for a LayerNormalization of one result.
Names write_layer_norm(const Op& op) {
  const auto count = static_cast<std::int64_t>(op.call.ints("normalized_shape").size());
  Shape dims;
  for (std::int64_t d = -count; d < 0; ++d) dims.push_back(d);
  const bool has_statistics = op.call.schema().returns.size() > 1;
  const Moments of = has_statistics || op.opset() < 17 ? moments(op, op.in("input"), dims) : Moments{};
  Names results;
  if (op.opset() >= 17) {
    Name weight = op.in("weight");
    if (weight.empty())
      weight = op.emitter().constant(Tensor::full(op.dtype("input"), op.call.ints("normalized_shape"), 1));
    results = {op.emit("LayerNormalization", {op.in("input"), weight, op.in("bias")},
                       {{"axis", -count}, {"epsilon", op.call.number("eps")}})};
  } else {
    Name value = normalized(op, of);
    if (op.has("weight")) value = op.emit("Mul", {value, op.in("weight")});
    if (op.has("bias")) value = op.emit("Add", {value, op.in("bias")});
    results = {value};
  }
  if (has_statistics) {
    results.push_back(of.mean);
    results.push_back(op.emit("Reciprocal", {of.deviation}));
  }
  return results;
}

Names write_rms_norm(const Op& op) {
  const auto count = static_cast<std::int64_t>(op.call.ints("normalized_shape").size());
  const DType dtype = op.dtype("input");
  const double eps = op.has("eps") ? op.call.number("eps") : 1.1920928955078125e-07;  // float32's
  if (!op.has("eps") && dtype != DType::float32) op.refuse("the eps of another dtype than float32 is left out");
  const Name x = op.in("input");
  Shape dims;
  for (std::int64_t d = -count; d < 0; ++d) dims.push_back(d);
  const Name mean = op.reduce("ReduceMean", op.emit("Mul", {x, x}), dims, true);
  Name value = op.emit("Div", {x, op.emit("Sqrt", {op.emit("Add", {mean, op.number(eps, dtype)})})});
  if (op.has("weight")) value = op.emit("Mul", {value, op.in("weight")});
  return {value};
}

// [C] -> [C, 1, 1 ...], to go with [N, C, spatial...]
Name per_channel(const Op& op, const Name& vector) {
  Shape dims;
  for (std::int64_t d = 1; d < op.rank("input") - 1; ++d) dims.push_back(d);
  return op.unsqueeze(vector, dims);
}

// [N, C, ...] -> [N, groups, everything else], normalized, and back.
Names write_group_norm(const Op& op) {
  const bool native = op.call.schema().find_arg("group") != nullptr;
  const std::int64_t groups = op.call.integer(native ? "group" : "num_groups");
  const Name input = op.in("input");
  const Name grouped = op.reshape(input, {0, groups, -1});
  Name value = op.emit("Reshape", {normalized(op, moments(op, grouped, {2})), op.size_list(op.sizes("input"), input)});
  if (op.has("weight")) value = op.emit("Mul", {value, per_channel(op, op.in("weight"))});
  if (op.has("bias")) value = op.emit("Add", {value, per_channel(op, op.in("bias"))});
  Names results{value};
  results.resize(op.call.schema().returns.size());
  return results;
}

Names write_instance_norm(const Op& op) {
  if (!op.call.boolean("use_input_stats")) return write_batch_norm(op);
  const std::int64_t channels = op.call.tensor("input").size(1);
  return {op.emit("InstanceNormalization",
                  {op.in("input"), vector(op, "weight", channels, 1), vector(op, "bias", channels, 0)},
                  {{"epsilon", op.call.number("eps")}})};
}

constexpr WriteRow kRows[] = {
    {"aten.batch_norm.default", "BatchNormalization", write_batch_norm},
    {"aten._native_batch_norm_legit_no_training.default", "BatchNormalization", write_batch_norm},
    {"aten.layer_norm.default", "LayerNormalization; its parts before opset 17", write_layer_norm},
    {"aten.native_layer_norm.default", "LayerNormalization; its parts before opset 17, and for the statistics",
     write_layer_norm},
    {"aten.rms_norm.default", "Mul, ReduceMean, Add, Sqrt, Div", write_rms_norm},
    {"aten.group_norm.default", "Reshape, ReduceMean, Sub, Mul, Sqrt, Div", write_group_norm},
    {"aten.native_group_norm.default", "Reshape, ReduceMean, Sub, Mul, Sqrt, Div", write_group_norm},
    {"aten.instance_norm.default", "InstanceNormalization", write_instance_norm},
};

}  // namespace

WriteFamily write_norm_ops() { return kRows; }

}  // namespace qdq::onnx
