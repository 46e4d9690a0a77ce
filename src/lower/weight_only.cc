#include "lower/weight_only.h"

#include <algorithm>

#include "lower/int8_weight.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/onednn/weight_only.h"
#include "runtime/rows.h"

namespace qdq::lower {
namespace {

std::optional<GroupedWeight> per_channel(const Node& dequantize, const Tensor& values, const Shared& shared) {
  std::string why;
  const auto weight = int8_weight(&dequantize, values.size(0), shared, why);
  if (!weight) return std::nullopt;
  const Tensor scales = Tensor::empty(DType::float32, {values.size(0), 1});
  std::transform(weight->scales.begin(), weight->scales.end(), scales.data<float>(),
                 [](double scale) { return static_cast<float>(scale); });
  return GroupedWeight{values, scales, {}};
}

std::optional<GroupedWeight> per_group(const Node& dequantize, const Tensor& values, const Shared& shared) {
  const OpSchema* schema = find_schema(dequantize.target());
  const Call call = bind(dequantize, *schema, [&](const Node& node) {
    const Attribute* attribute = attribute_behind(&node, shared);
    return attribute ? Value(attribute->value) : Value();
  });
  const Shape block = call.ints("block_size");
  if (block.size() != 2 || block[0] != 1 || block[1] < 1 || values.size(1) % block[1] != 0 || !call.has("scale") ||
      call.dtype("output_dtype", DType::float32) != DType::float32)
    return std::nullopt;
  const Shape sizes = {values.size(0), values.size(1) / block[1]};
  const Tensor& scales = call.tensor("scale");
  const Tensor zero_points = call.optional_tensor("zero_point");
  const bool has_zero_points = zero_points.defined() && zero_points.numel() > 0;
  if (!is_float(scales) || scales.numel() != numel(sizes)) return std::nullopt;
  if (has_zero_points && zero_points.numel() != numel(sizes)) return std::nullopt;
  GroupedWeight weight = {values, scales.reshape(sizes).contiguous(), {}};
  if (has_zero_points) weight.zero_points = zero_points.to(DType::float32).reshape(sizes).contiguous();
  return weight;
}

bool is_matrix_of_rows(const Tensor& t) { return t.dim() == 2 && t.is_contiguous() && t.numel() > 0; }

std::optional<GroupedWeight> grouped_weight(const Node* dequantize, const Shared& shared) {
  const Attribute* attribute = dequantize ? attribute_behind(dequantize->input(0), shared) : nullptr;
  if (!attribute || !attribute->value.defined()) return std::nullopt;
  const Tensor& values = attribute->value;
  if (values.dtype() != DType::int8 || !is_matrix_of_rows(values)) return std::nullopt;
  return dequantize->target().starts_with("torchao.dequantize_affine") ? per_group(*dequantize, values, shared)
                                                                       : per_channel(*dequantize, values, shared);
}

}  // namespace

std::optional<Value> lower_weight_only_linear(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("input");
  const Tensor bias = call.optional_tensor("bias");
  if (!is_float(input) || input.dim() == 0 || input.numel() == 0 || (bias.defined() && !is_float(bias)))
    return std::nullopt;
  auto& known = emitter.shared().constants->grouped_weights;
  auto found = known.find(&call.node());
  if (found == known.end()) {
    const auto weight = grouped_weight(call.node().input(1), emitter.shared());
    if (!weight) return std::nullopt;
    found = known.emplace(&call.node(), *weight).first;
  }
  const auto& [values, scales, zero_points] = found->second;
  if (input.size(-1) != values.size(1)) return std::nullopt;
  const Tensor plain = emitter.contiguous(input);
  const Shape rows = {plain.numel() / values.size(1), values.size(1)};
  Shape sizes = input.sizes();
  sizes.back() = values.size(0);
  const Tensor result = emitter.allocate(DType::float32, sizes);
  runtime::onednn::WeightOnlyLinear linear;
  linear.src = plain.as_strided(rows, contiguous_strides(rows), plain.storage_offset());
  linear.values = values;
  linear.scales = scales;
  linear.zero_points = zero_points;
  linear.bias = bias;
  linear.dst = result.as_strided({rows[0], values.size(0)}, {values.size(0), 1}, 0);
  emitter.emit(runtime::onednn::weight_only_linear_step(emitter.name(), linear));
  return Value(result);
}

std::optional<Value> lower_quantized_embedding(const Call& call, Emitter& emitter) {
  const Node* dequantize = call.node().input(0);
  const Tensor& index = call.tensor("indices");
  if (!dequantize || !dequantize->is("quantized_decomposed.dequantize_per_channel.default") ||
      (index.dtype() != DType::int64 && index.dtype() != DType::int32))
    return std::nullopt;
  const Call table = bind(*dequantize, *find_schema(dequantize->target()), [&](const Node& node) {
    const Attribute* attribute = attribute_behind(&node, emitter.shared());
    return attribute ? Value(attribute->value) : Value();
  });
  if (!table.has("input") || !table.has("scales")) return std::nullopt;
  const Tensor& values = table.tensor("input");
  const Tensor& scales = table.tensor("scales");
  const Tensor zero_points = table.optional_tensor("zero_points");
  const bool is_bytes = values.dtype() == DType::int8 || values.dtype() == DType::uint8;
  const bool has_zero_points = zero_points.defined();
  if (!is_bytes || !is_matrix_of_rows(values) || !is_float(scales) || scales.numel() != values.size(0) ||
      table.dim("axis", 2) != 0 || table.dtype("out_dtype", DType::float32) != DType::float32 ||
      (has_zero_points && zero_points.numel() != values.size(0)))
    return std::nullopt;
  Shape sizes = index.sizes();
  sizes.push_back(values.size(1));
  const Tensor out = emitter.allocate(DType::float32, sizes);
  emitter.emit(runtime::quantized_embedding_step(
      emitter.name(),
      {values, scales.contiguous(), has_zero_points ? zero_points.to(DType::float32).contiguous() : Tensor()}, index,
      out));
  return Value(out);
}

}  // namespace qdq::lower
