#include <algorithm>

#include "lower/int8_lowering.h"
#include "lower/int8_weight.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"

// Dynamic quantization:
//
//     choose_qparams -> scale, zero point
//     quantize(x, scale, zero point) -> dequantize -> linear...    becomes   int8:dynamic_quantize, int8:linear for each
namespace qdq::lower {
namespace {

constexpr std::string_view kQuantize = "quantized_decomposed.quantize_per_tensor.tensor";
constexpr std::string_view kDequantize = "quantized_decomposed.dequantize_per_tensor.tensor";

bool has_range(const Call& call, const runtime::int8::DynamicQuantization& wanted) {
  return call.integer("quant_min") == wanted.quant_min && call.integer("quant_max") == wanted.quant_max &&
         plain_dtype(call.dtype("dtype", wanted.dtype)) == wanted.dtype;
}

// A linear layer that reads `input` and nothing else that is computed: its weight is int8, its bias constant.
bool is_int8_linear(const Node& node, const Node& input, const Shared& shared) {
  if (node.meta.find(kRunInFloat) || !node.is("aten.linear.default") || node.input(0) != &input || !node.input(1) ||
      node.input(1) == &input)
    return false;
  const Attribute* weight = attribute_behind(node.input(1)->input(0), shared);
  if (!weight || weight->value.dim() != 2 || weight->value.numel() == 0 || weight->value.size(1) > integer::kMaxDepth)
    return false;
  const std::int64_t channels = weight->value.size(0);
  std::string why;
  if (!int8_weight(node.input(1), channels, shared, why)) return false;
  const Node* bias = node.args().size() > 2 ? node.input(2) : nullptr;
  if (!bias) return true;
  const Attribute* values = attribute_behind(bias, shared);
  return values && is_float(values->value) && values->value.dim() == 1 && values->value.size(0) == channels;
}

}  // namespace

// Whether everything that follows is taken; then neither the scale nor the zero point becomes a value.
bool Int8Lowering::begin_dynamic(const Call& call) {
  const Shared& shared = emitter_.shared();
  const auto is_private = [&](const Node& node) {
    return !shared.aliases.is_mutated(node) && !shared.kept.contains(node.name());
  };
  const DType dtype = plain_dtype(call.dtype("dtype", DType::int8));
  const runtime::int8::DynamicQuantization quantization = {call.integer("quant_min"), call.integer("quant_max"),
                                                           static_cast<float>(call.number("eps")), dtype,
                                                           call.schema().target.find("symmetric") != std::string::npos};
  const std::int64_t shift = integer::byte_shift(dtype);
  if ((dtype != DType::int8 && dtype != DType::uint8) || quantization.quant_min + shift < 0 ||
      quantization.quant_max + shift > 255 || quantization.quant_min >= quantization.quant_max)
    return false;
  if (!is_float(call.tensor("input")) || call.tensor("input").numel() == 0 || !is_private(call.node())) return false;
  std::vector<const Node*> items;
  const Node* quantize = nullptr;
  for (const Node* item : call.node().users()) {
    if (!item->is("operator.getitem") || !is_private(*item)) return false;
    items.push_back(item);
    for (const Node* user : item->users()) {
      const auto literals = literals_of(*user);
      if (user->is(kQuantize) && user->input(0) == call.node().input(0) && (!quantize || quantize == user) &&
          has_range(*literals, quantization))
        quantize = user;
      else if (!user->is(kDequantize) || !has_range(*literals, quantization) || literals->has("out_dtype"))
        return false;
    }
  }
  if (!quantize || !is_private(*quantize)) return false;
  for (const Node* dequantize : quantize->users()) {
    if (!dequantize->is(kDequantize) || !is_private(*dequantize)) return false;
    for (const Node* user : dequantize->users())
      if (!is_int8_linear(*user, *dequantize, shared)) return false;
  }
  skipped_.insert(items.begin(), items.end());
  dynamic_.insert({quantize, {quantization, {}, {}}});
  return true;
}

std::optional<Value> Int8Lowering::lower_dynamic_quantize(const Call& call) {
  const auto found = dynamic_.find(&call.node());
  if (found == dynamic_.end()) return std::nullopt;
  DynamicValue& value = found->second;
  const Tensor input = emitter_.contiguous(call.tensor("input"));
  value.bytes = emitter_.allocate(DType::uint8, input.sizes());
  value.params = emitter_.allocate(DType::float64, {2});
  emitter_.emit(runtime::int8::dynamic_quantize_step(emitter_.name(), runtime::int8::kernels(), input, value.bytes,
                                                     value.params, value.quantization));
  return Value(value.bytes);
}

std::optional<Value> Int8Lowering::lower_dynamic_dequantize(const Call& call) {
  if (!call.node().input(0) || !dynamic_.contains(call.node().input(0))) return std::nullopt;
  return Value(emitter_.allocate(DType::float32, call.tensor("input").sizes()));  // its readers take the bytes
}

const Int8Lowering::DynamicValue* Int8Lowering::dynamic_input(const Node& linear) const {
  const Node* dequantize = linear.input(0);
  const Node* quantize = dequantize && dequantize->is(kDequantize) ? dequantize->input(0) : nullptr;
  const auto found = dynamic_.find(quantize);
  return found == dynamic_.end() ? nullptr : &found->second;
}

Value Int8Lowering::lower_dynamic_linear(const Call& call, const DynamicValue& input) {
  const Attribute& values = *attribute_behind(call.node().input(1)->input(0), emitter_.shared());
  const std::int64_t channels = values.value.size(0), products = values.value.size(1);
  std::string why;
  const Int8Weight weight = *int8_weight(call.node().input(1), channels, emitter_.shared(), why);
  const Tensor bias = call.optional_tensor("bias");
  runtime::int8::Convolution linear;
  const Shape rows = {input.bytes.numel() / products, products};
  linear.src = input.bytes.as_strided(rows, contiguous_strides(rows), input.bytes.storage_offset());
  linear.source_params = input.params;
  linear.dst = emitter_.allocate(DType::float32, {rows[0], channels});
  linear.weights = packed_weights(call.node(), weight.values, 1, emitter_.shared());
  for (std::int64_t c = 0; c < channels; ++c) {
    linear.rescale.multiplier.push_back(static_cast<float>(weight.scales[static_cast<std::size_t>(c)]));
    linear.rescale.offset.push_back(bias.defined() ? bias.data<float>()[c * bias.strides()[0]] : 0.0f);
  }
  linear.rescale.low = -std::numeric_limits<float>::infinity();
  linear.rescale.high = std::numeric_limits<float>::infinity();
  emitter_.emit(runtime::int8::convolution_step(emitter_.name(), linear));
  Shape sizes = input.bytes.sizes();
  sizes.back() = channels;
  return Value(linear.dst.as_strided(sizes, contiguous_strides(sizes), 0));
}

}  // namespace qdq::lower
