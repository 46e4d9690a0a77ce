#include "runtime/int8/attention.h"

#include <array>
#include <cmath>

#include "lower/attention_mask.h"
#include "lower/int8_lowering.h"
#include "lower/int8_matmul.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "passes/qdq_ops.h"
#include "runtime/elementwise.h"

namespace qdq::lower {
namespace {

// [B, H, M, F] with the heads of one position side by side: the transpose and reshape behind attention then cost nothing.
Shape strides_by_position(const Shape& sizes) {
  const std::int64_t heads = sizes[1], rows = sizes[2], width = sizes[3];
  return {rows * heads * width, width, heads * width, 1};
}

}  // namespace

// The first product of an attention of which every operand is quantized. Nothing is emitted before the second one.
std::optional<Value> Int8Lowering::begin_attention(const Call& call, const OnGrid& query, const OnGrid& key) {
  const auto pattern = find_attention(call.node(), emitter_.shared());
  if (!pattern || !pattern->probabilities || query.bytes.dim() != 4 || key.bytes.size(-1) > kMaxProducts)
    return std::nullopt;
  const TensorMeta* mask = pattern->mask ? pattern->mask->type.tensor() : nullptr;
  if (pattern->mask && (!mask || mask->dtype != DType::float32)) return std::nullopt;
  const Node* value = pattern->result->input(1);
  const auto value_grid = value ? literal_grid(*value, kDequantizePerTensor) : std::nullopt;
  if (!value_grid) return std::nullopt;
  const auto chain = find_int8_chain(*pattern->result, emitter_.shared());
  const integer::Grid probabilities = literal_grid(*pattern->probabilities, kQuantizePerTensor)->grid;
  const runtime::int8::TensorRescale rescale = product_rescale(probabilities.scale, value_grid->grid.scale, chain);
  if (chain && !stays_in_range(key.bytes.size(-1), rescale)) return std::nullopt;
  absorbed_.insert(pattern->between.begin(), pattern->between.end());
  attentions_.insert({pattern->result, {*pattern, query, key, probabilities, chain}});
  return Value(emitter_.allocate(DType::float32, product_sizes(query.bytes, key.bytes)));
}

Value Int8Lowering::lower_attention(const Call& call, const PendingAttention& pending) {
  const auto value = emitter_.on_grid(call.tensor("other"));
  if (!value || !have_same_batches(pending.query.bytes, value->bytes))
    call.fail("the values that attention adds up are not of the sizes of its keys");
  if (!pending.chain) return Value(emit_attention(pending, *value));
  const Shape sizes = product_sizes(pending.query.bytes, value->bytes);
  return postpone(*pending.chain, sizes, [this, &pending, value = *value] {
    return chain_value(*pending.chain, emit_attention(pending, value));
  });
}

Tensor Int8Lowering::emit_attention(const PendingAttention& pending, const OnGrid& value) {
  const AttentionPattern& pattern = pending.pattern;
  const integer::Grid& p = pending.probabilities;
  const Shape sizes = product_sizes(pending.query.bytes, value.bytes);
  runtime::int8::Attention attention;
  attention.query = operand_of(with_adjacent_rows(pending.query, emitter_));
  attention.key = operand_of(pending.key);
  attention.value = operand_of(value);
  attention.score_multiplier = static_cast<float>(pending.query.grid.scale * pattern.scale * pending.key.grid.scale);
  if (pattern.mask)
    attention.mask = runtime::broadcast_to(*value_of_(*pattern.mask).tensor(),
                                           product_sizes(pending.query.bytes, pending.key.bytes));
  attention.probabilities = {inverse_scale(p.scale), static_cast<float>(p.zero_point), static_cast<float>(p.low),
                             static_cast<float>(p.high)};
  attention.rescale = product_rescale(p.scale, value.grid.scale, pending.chain);
  const DType dtype = pending.chain ? DType::uint8 : DType::float32;
  attention.dst = emitter_.allocate(dtype, sizes, strides_by_position(sizes));
  emitter_.emit(runtime::int8::attention_step(emitter_.name(), runtime::int8::kernels(), attention));
  return attention.dst;
}

namespace {

// Why the engine does not take the attention, or nothing. Masks are as torch checked them.
std::string why_not_attention(const Call& call, const Tensor& query, const Tensor& key, const Tensor& value) {
  const auto is_batch = [](const Tensor& t) { return t.dim() == 4 && t.numel() > 0; };
  if (!is_batch(query) || !is_batch(key) || !is_batch(value)) return "the engine takes operands [B, H, M, D]";
  const Tensor mask = call.optional_tensor("attn_mask");
  if (mask.defined() && !is_float(mask) && mask.dtype() != DType::bool_) return "its mask is not float32 or bool";
  if (call.number("dropout_p") != 0.0) return "it has dropout";
  const bool fits = query.size(0) == key.size(0) && query.size(1) % key.size(1) == 0 && query.size(3) == key.size(3) &&
                    key.size(0) == value.size(0) && key.size(1) == value.size(1) && key.size(2) == value.size(2) &&
                    !(mask.defined() && call.boolean("is_causal"));
  if (!fits) return "its operands do not fit each other";
  return query.size(3) > kMaxProducts || key.size(2) > kMaxProducts ? "its sums may exceed int32" : "";
}

}  // namespace

std::optional<Value> Int8Lowering::lower_scaled_dot_product_attention(const Call& call) {
  const auto query = emitter_.on_grid(call.tensor("query")), key = emitter_.on_grid(call.tensor("key")),
             value = emitter_.on_grid(call.tensor("value"));
  if (!query && !key && !value) return std::nullopt;
  if (!query || !key || !value) return refuse(call, "only some of its operands are quantized");
  if (std::string why = why_not_attention(call, query->bytes, key->bytes, value->bytes); !why.empty())
    return refuse(call, why);
  const auto chain = find_int8_chain(call.node(), emitter_.shared());
  runtime::int8::Attention attention;
  attention.rescale = product_rescale(1.0, value->grid.scale, chain);  // the weights of a row add up to 1
  if (chain && !stays_in_range(1, attention.rescale))
    return refuse(call, "its results are far beyond the range of their grid");
  const double scale =
      call.has("scale") ? call.number("scale") : 1.0 / std::sqrt(static_cast<double>(query->bytes.size(3)));
  attention.score_multiplier = static_cast<float>(query->grid.scale * scale * key->grid.scale);
  attention.causal = call.boolean("is_causal");
  attention.value = operand_of(*value);
  attention.key = operand_of(*key);
  attention.key.bytes = key->bytes.permute(std::array<std::int64_t, 4>{0, 1, 3, 2});
  const Shape sizes = product_sizes(query->bytes, value->bytes);
  auto emit = [=, this, query = *query, mask = call.optional_tensor("attn_mask")](DType dtype) mutable {
    attention.query = operand_of(with_adjacent_rows(query, emitter_));
    attention.mask = additive_mask(mask, product_sizes(query.bytes, attention.key.bytes), emitter_);
    const bool is_row_major = dtype == DType::float32 && emitter_.shared().aliases.needs_row_major(emitter_.node());
    attention.dst =
        emitter_.allocate(dtype, sizes, is_row_major ? contiguous_strides(sizes) : strides_by_position(sizes));
    emitter_.emit(runtime::int8::attention_step(emitter_.name(), runtime::int8::kernels(), attention));
    return attention.dst;
  };
  if (!chain) return Value(emit(DType::float32));
  return postpone(*chain, sizes,
                  [this, emit, chain = *chain]() mutable { return chain_value(chain, emit(DType::uint8)); });
}

}  // namespace qdq::lower
