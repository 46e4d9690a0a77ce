#include "lower/int8_weight.h"

#include <algorithm>

#include "lower/int8_chain.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "runtime/int8/winograd.h"

namespace qdq::lower {
namespace {

bool all_zero(const Tensor& numbers) {
  const Tensor doubles = numbers.to(DType::float64).contiguous();
  return std::all_of(doubles.data<double>(), doubles.data<double>() + doubles.numel(), [](double x) { return x == 0; });
}

}  // namespace

const Attribute* attribute_behind(const Node* node, const Shared& shared) {
  if (!node || node->kind() != NodeKind::get_attr || shared.state.contains(node->target())) return nullptr;
  return shared.program.attributes.find(node->target());
}

namespace {

// A constant weight with the scales that the graph gives: one, or one for each index of `axis`.
struct ScaledWeight {
  Tensor values;
  std::vector<double> scales;
  std::optional<std::int64_t> axis;
};

std::optional<ScaledWeight> scaled_weight(const Node* dequantize, const Shared& shared, std::string& why) {
  why = "its weight is not a dequantized constant";
  const Attribute* values = dequantize ? attribute_behind(dequantize->input(0), shared) : nullptr;
  if (!values || !values->value.defined()) return std::nullopt;
  why = "its weight is not int8 with zero points of 0";
  if (values->value.dtype() != DType::int8) return std::nullopt;
  if (const auto grid = literal_grid(*dequantize, "quantized_decomposed.dequantize_per_tensor.default")) {
    if (grid->grid.zero_point != 128) return std::nullopt;
    return ScaledWeight{values->value, {grid->grid.scale}, std::nullopt};
  }
  if (!dequantize->is("quantized_decomposed.dequantize_per_channel.default")) return std::nullopt;
  const OpSchema* schema = find_schema(dequantize->target());
  const Call call = bind(*dequantize, *schema, [&](const Node& node) {
    const Attribute* attribute = attribute_behind(&node, shared);
    return attribute ? Value(attribute->value) : Value();
  });
  if (!call.has("scales") || call.dtype("out_dtype", DType::float32) != DType::float32) return std::nullopt;
  if (call.has("zero_points") && !all_zero(call.tensor("zero_points"))) return std::nullopt;
  const Tensor scales = call.tensor("scales").to(DType::float32).contiguous();
  const float* data = scales.data<float>();
  return ScaledWeight{values->value, {data, data + scales.numel()}, call.dim("axis", values->value.dim())};
}

// scale_of(channel) indexes the scales, of which there must be `count` along `axis`.
template <typename ScaleOf>
std::optional<Int8Weight> by_channel(const ScaledWeight& weight, std::int64_t channels, std::int64_t axis,
                                     std::int64_t count, ScaleOf scale_of, std::string& why) {
  why = "its weight's scales do not lie along the output channels";
  const auto found = static_cast<std::int64_t>(weight.scales.size());
  if (weight.axis && (*weight.axis != axis || found != count)) return std::nullopt;
  Int8Weight result{weight.values, {}};
  for (std::int64_t channel = 0; channel < channels; ++channel)
    result.scales.push_back(weight.scales[weight.axis ? static_cast<std::size_t>(scale_of(channel)) : 0]);
  return result;
}

}  // namespace

std::optional<Int8Weight> int8_weight(const Node* dequantize, std::int64_t channels, const Shared& shared,
                                      std::string& why) {
  const auto weight = scaled_weight(dequantize, shared, why);
  if (!weight) return std::nullopt;
  return by_channel(
      *weight, channels, 0, channels, [](std::int64_t channel) { return channel; }, why);
}

std::optional<Int8Weight> transposed_int8_weight(const Node* dequantize, std::int64_t channels, std::int64_t groups,
                                                 const Shared& shared, std::string& why) {
  const auto weight = scaled_weight(dequantize, shared, why);
  if (!weight) return std::nullopt;
  const std::int64_t of_group = channels / groups;
  if (weight->axis == 0 && weight->values.size(0) == groups)
    return by_channel(
        *weight, channels, 0, groups, [=](std::int64_t channel) { return channel / of_group; }, why);
  return by_channel(
      *weight, channels, 1, of_group, [=](std::int64_t channel) { return channel % of_group; }, why);
}

std::shared_ptr<const runtime::int8::PackedWeights> packed_weights(const Node& node, const Tensor& weight,
                                                                   std::int64_t groups, const Shared& shared) {
  auto& known = shared.constants->packed_weights[&node];
  if (!known) known = std::make_shared<runtime::int8::PackedWeights>(runtime::int8::kernels(), weight, groups);
  return known;
}

std::shared_ptr<const runtime::int8::WinogradWeights> winograd_weights(const Node& node, const Tensor& weight,
                                                                       const Shared& shared) {
  auto& known = shared.constants->winograd_weights[&node];
  if (!known) known = std::make_shared<runtime::int8::WinogradWeights>(runtime::int8::kernels(), weight);
  return known;
}

const std::vector<runtime::int8::Phase>& packed_phases(const Node& node, const Tensor& weight, std::int64_t groups,
                                                       const runtime::int8::Window& window, const Shared& shared) {
  auto& known = shared.constants->phases[&node];
  if (known.empty()) known = runtime::int8::phases_of(runtime::int8::kernels(), weight, groups, window);
  return known;
}

bool is_usable_bias(const Tensor& bias, std::int64_t channels, const Emitter& emitter) {
  return !bias.defined() ||
         (is_float(bias) && emitter.is_constant(bias) && bias.dim() == 1 && bias.size(0) == channels);
}

}  // namespace qdq::lower
