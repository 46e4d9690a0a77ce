#include <cmath>

#include "reference/eval.h"

namespace qdq {
namespace {

// A weight or bias as doubles; `otherwise` for None.
std::vector<double> numbers(const Tensor& tensor, std::int64_t count, double otherwise) {
  std::vector<double> result(static_cast<std::size_t>(count), otherwise);
  if (!tensor.defined()) return result;
  const Tensor values = contiguous_as<double>(tensor);
  std::copy_n(values.data<double>(), count, result.begin());
  return result;
}

void check_count(const Call& call, std::string_view argument, std::int64_t count) {
  if (call.has(argument) && call.tensor(argument).numel() != count)
    call.fail("argument '" + std::string(argument) + "' must have " + std::to_string(count) + " elements");
}

std::int64_t channels_of(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (input.dim() < 2) call.fail("an input with batch and channel dimensions expected");
  return input.size(1);
}

// (x - mean) * (weight / sqrt(var + eps)) + bias with running statistics, per channel.
Tensor batch_norm(const Call& call) {
  const Tensor& input = call.tensor("input");
  const std::int64_t channels = channels_of(call);
  for (const char* argument : {"weight", "bias", "running_mean", "running_var"}) check_count(call, argument, channels);
  const double eps = call.number("eps");
  const auto weight = numbers(call.optional_tensor("weight"), channels, 1);
  const auto bias = numbers(call.optional_tensor("bias"), channels, 0);
  const auto mean = numbers(call.tensor("running_mean"), channels, 0);
  const auto variance = numbers(call.tensor("running_var"), channels, 1);
  const Tensor out = input.to(DType::float64).clone();
  const std::int64_t inner = channels == 0 || input.size(0) == 0 ? 1 : input.numel() / (input.size(0) * channels);
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const auto c = static_cast<std::size_t>(i / inner % channels);
    double& x = out.data<double>()[i];
    x = (x - mean[c]) * (weight[c] / std::sqrt(variance[c] + eps)) + bias[c];
  }
  return out.to(input.dtype());
}

std::vector<Value> eval_batch_norm(const Call& call) {
  if (call.boolean("training")) call.fail("batch_norm in training mode: export the model in evaluation mode");
  return {batch_norm(call)};
}

std::vector<Value> eval_native_batch_norm(const Call& call) {
  return {batch_norm(call), Tensor::empty(DType::float32, {0}), Tensor::empty(DType::float32, {0})};
}

struct Normalized {
  Tensor output;
  Tensor mean;     // one per row, float64
  Tensor inv_std;  // 1 / sqrt(var + eps)
};

// Rows of `length` neighbouring elements to mean 0 and variance 1. scale(i) and shift(i) take the element's index.
template <typename Scale, typename Shift>
Normalized normalize(const Tensor& input, std::int64_t length, double eps, Scale scale, Shift shift) {
  const std::int64_t rows = length == 0 ? 0 : input.numel() / length;
  const Tensor values = input.to(DType::float64).clone();
  Normalized result{{}, Tensor::empty(DType::float64, {rows}), Tensor::empty(DType::float64, {rows})};
  for (std::int64_t r = 0; r < rows; ++r) {
    double* row = values.data<double>() + r * length;
    double sum = 0;
    for (std::int64_t i = 0; i < length; ++i) sum += row[i];
    const double mean = sum / static_cast<double>(length);
    double squares = 0;
    for (std::int64_t i = 0; i < length; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const double inv_std = 1 / std::sqrt(squares / static_cast<double>(length) + eps);
    for (std::int64_t i = 0; i < length; ++i)
      row[i] = (row[i] - mean) * inv_std * scale(r * length + i) + shift(r * length + i);
    result.mean.data<double>()[r] = mean;
    result.inv_std.data<double>()[r] = inv_std;
  }
  result.output = values.to(input.dtype());
  return result;
}

std::int64_t normalized_length(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Shape shape = call.ints("normalized_shape");
  if (shape.size() > input.sizes().size() || !std::equal(shape.rbegin(), shape.rend(), input.sizes().rbegin()))
    call.fail("the input's last sizes are not normalized_shape " + to_string(shape));
  return numel(shape);
}

Normalized layer_norm(const Call& call) {
  const std::int64_t length = normalized_length(call);
  check_count(call, "weight", length);
  check_count(call, "bias", length);
  const auto weight = numbers(call.optional_tensor("weight"), length, 1);
  const auto bias = numbers(call.optional_tensor("bias"), length, 0);
  return normalize(
      call.tensor("input"), length, call.number("eps"),
      [&](std::int64_t i) { return weight[static_cast<std::size_t>(i % length)]; },
      [&](std::int64_t i) { return bias[static_cast<std::size_t>(i % length)]; });
}

std::vector<Value> eval_layer_norm(const Call& call) { return {layer_norm(call).output}; }

std::vector<Value> eval_native_layer_norm(const Call& call) {
  const Normalized result = layer_norm(call);
  const Shape sizes = call.schema().infer(call)[1].tensor()->sizes();
  return {result.output, result.mean.reshape(sizes).to(DType::float32),
          result.inv_std.reshape(sizes).to(DType::float32)};
}

// Each sample's channels in `groups` runs; weight and bias per channel.
Normalized group_norm(const Call& call, std::int64_t groups) {
  const Tensor& input = call.tensor("input");
  const std::int64_t channels = channels_of(call);
  if (groups < 1 || channels % groups != 0)
    call.fail("the channels do not divide into " + std::to_string(groups) + " groups");
  check_count(call, "weight", channels);
  check_count(call, "bias", channels);
  const auto weight = numbers(call.optional_tensor("weight"), channels, 1);
  const auto bias = numbers(call.optional_tensor("bias"), channels, 0);
  const std::int64_t inner = input.size(0) * channels == 0 ? 1 : input.numel() / (input.size(0) * channels);
  const auto channel = [=](std::int64_t i) { return static_cast<std::size_t>(i / inner % channels); };
  return normalize(
      input, channels / groups * inner, call.number("eps"), [&](std::int64_t i) { return weight[channel(i)]; },
      [&](std::int64_t i) { return bias[channel(i)]; });
}

std::vector<Value> eval_group_norm(const Call& call) { return {group_norm(call, call.integer("num_groups")).output}; }

std::vector<Value> eval_native_group_norm(const Call& call) {
  const Normalized result = group_norm(call, call.integer("group"));
  const Shape sizes = {call.integer("N"), call.integer("group")};
  return {result.output, result.mean.reshape(sizes).to(DType::float32),
          result.inv_std.reshape(sizes).to(DType::float32)};
}

std::vector<Value> eval_instance_norm(const Call& call) {
  if (!call.boolean("use_input_stats")) return {batch_norm(call)};
  return {group_norm(call, channels_of(call)).output};
}

// x / sqrt(mean(x^2) + eps) * weight; eps defaults to the dtype's epsilon.
std::vector<Value> eval_rms_norm(const Call& call) {
  const Tensor& input = call.tensor("input");
  const std::int64_t length = normalized_length(call);
  check_count(call, "weight", length);
  const double natural = input.dtype() == DType::float64 ? 0x1p-52 : 0x1p-23;
  const double eps = call.has("eps") ? call.number("eps") : natural;
  const auto weight = numbers(call.optional_tensor("weight"), length, 1);
  const Tensor out = input.to(DType::float64).clone();
  for (std::int64_t start = 0; start < out.numel(); start += length) {
    double* row = out.data<double>() + start;
    double squares = 0;
    for (std::int64_t i = 0; i < length; ++i) squares += row[i] * row[i];
    const double factor = 1 / std::sqrt(squares / static_cast<double>(length) + eps);
    for (std::int64_t i = 0; i < length; ++i) row[i] *= factor * weight[static_cast<std::size_t>(i)];
  }
  return {out.to(input.dtype())};
}

constexpr KernelRow kRows[] = {
    {"aten.batch_norm.default", eval_batch_norm},
    {"aten._native_batch_norm_legit_no_training.default", eval_native_batch_norm},
    {"aten.layer_norm.default", eval_layer_norm},
    {"aten.native_layer_norm.default", eval_native_layer_norm},
    {"aten.group_norm.default", eval_group_norm},
    {"aten.native_group_norm.default", eval_native_group_norm},
    {"aten.instance_norm.default", eval_instance_norm},
    {"aten.rms_norm.default", eval_rms_norm},
};

}  // namespace

KernelFamily norm_kernels() { return kRows; }

}  // namespace qdq
