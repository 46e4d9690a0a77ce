#include "lower/int8_weight.h"

#include <algorithm>

#include "lower/int8_chain.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"

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

std::optional<Int8Weight> int8_weight(const Node* dequantize, std::int64_t channels, std::int64_t axis,
                                      const Shared& shared, std::string& why) {
  why = "its weight is not a dequantized constant";
  const Attribute* values = dequantize ? attribute_behind(dequantize->input(0), shared) : nullptr;
  if (!values || !values->value.defined()) return std::nullopt;
  why = "its weight is not int8 with zero points of 0";
  if (values->value.dtype() != DType::int8) return std::nullopt;
  if (const auto grid = literal_grid(*dequantize, "quantized_decomposed.dequantize_per_tensor.default")) {
    if (grid->grid.zero_point != 128) return std::nullopt;
    return Int8Weight{values->value, std::vector<double>(static_cast<std::size_t>(channels), grid->grid.scale)};
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
  why = "its weight's scales do not lie along the output channels";
  if (call.dim("axis", values->value.dim()) != axis || scales.numel() != channels) return std::nullopt;
  const float* data = scales.data<float>();
  return Int8Weight{values->value, std::vector<double>(data, data + channels)};
}

std::shared_ptr<const runtime::int8::PackedWeights> packed_weights(const Node& node, const Tensor& weight,
                                                                   std::int64_t groups, bool transposed, bool plain,
                                                                   const Shared& shared) {
  auto& known = shared.constants->packed_weights[{&node, plain}];
  if (!known)
    known = std::make_shared<runtime::int8::PackedWeights>(
        runtime::int8::kernels(), runtime::int8::filters_of(weight, groups, transposed), plain);
  return known;
}

bool is_usable_bias(const Tensor& bias, std::int64_t channels, const Emitter& emitter) {
  return !bias.defined() ||
         (is_float(bias) && emitter.is_constant(bias) && bias.dim() == 1 && bias.size(0) == channels);
}

}  // namespace qdq::lower
