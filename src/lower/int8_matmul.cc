#include <cmath>

#include "lower/int8_lowering.h"
#include "ops/schema.h"
#include "runtime/elementwise.h"
#include "runtime/int8/matmul.h"

namespace qdq::lower {
namespace {

using runtime::int8::Operand;
using runtime::int8::TensorRescale;

constexpr std::string_view kQuantize = "quantized_decomposed.quantize_per_tensor.default";
constexpr std::string_view kDequantize = "quantized_decomposed.dequantize_per_tensor.default";
constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Sums of (a - a_zero) * (b - b_zero) are put together from four of this many products each.
constexpr std::int64_t kMaxProducts = integer::kMaxDepth / 4;

TensorRescale rescale_of(double a_scale, double b_scale, const std::optional<Int8Chain>& chain) {
  if (!chain) return {static_cast<float>(a_scale * b_scale), 0.0f, -kInfinity, kInfinity};
  return {integer::product_multiplier(a_scale, b_scale, chain->grid), integer::bias_offset(0.0, chain->grid),
          integer::low_level(chain->bounds, chain->grid), integer::high_level(chain->bounds, chain->grid)};
}

bool stays_in_range(std::int64_t products, const TensorRescale& rescale) {
  constexpr double kLimit = 1 << 30;
  return static_cast<double>(products) * 255 * 255 * std::abs(static_cast<double>(rescale.multiplier)) < kLimit;
}

Operand operand_of(const OnGrid& value) { return {value.bytes, value.grid.zero_point}; }

// Its rows have their elements side by side.
OnGrid with_adjacent_rows(const OnGrid& value, Emitter& emitter) {
  if (value.bytes.strides().back() == 1 || value.bytes.size(-1) == 1) return value;
  return {emitter.contiguous(value.bytes), value.grid, value.dtype};
}

bool same_batches(const Tensor& a, const Tensor& b) {
  return a.dim() == b.dim() && a.dim() >= 2 && std::equal(a.sizes().begin(), a.sizes().end() - 2, b.sizes().begin());
}

Shape product_sizes(const Tensor& a, const Tensor& b) {
  Shape sizes = a.sizes();
  sizes.back() = b.size(-1);
  return sizes;
}

// [B, H, M, F] with the heads of one position side by side: the transpose and reshape behind attention then cost nothing.
Shape strides_by_position(const Shape& sizes) {
  const std::int64_t heads = sizes[1], rows = sizes[2], width = sizes[3];
  return {rows * heads * width, width, heads * width, 1};
}

const Tensor& left_of(const Call& call) { return call.tensor("self"); }
const Tensor& right_of(const Call& call) { return call.tensor(call.schema().find_arg("other") ? "other" : "mat2"); }

}  // namespace

std::optional<Value> Int8Lowering::lower_matmul(const Call& call) {
  if (const auto known = attentions_.find(&call.node()); known != attentions_.end())
    return lower_attention(call, known->second);
  const Tensor& a_value = left_of(call);
  const Tensor& b_value = right_of(call);
  const auto a = emitter_.on_grid(a_value), b = emitter_.on_grid(b_value);
  if (!a && !b) return std::nullopt;
  if (!a || !b) return refuse(call, "only one of its operands is quantized");
  if (!same_batches(a_value, b_value) || a_value.numel() == 0 || b_value.numel() == 0)
    return refuse(call, "the engine takes operands [..., M, K] and [..., K, N] with the same batch dimensions");
  const std::int64_t products = a_value.size(-1);
  if (products > kMaxProducts) return refuse(call, "its sums may exceed int32");
  if (auto value = begin_attention(call, *a, *b)) return value;
  const auto chain = find_int8_chain(call.node(), emitter_.shared());
  const TensorRescale rescale = rescale_of(a->grid.scale, b->grid.scale, chain);
  if (chain && !stays_in_range(products, rescale))
    return refuse(call, "its results are far beyond the range of their grid");
  const Shape sizes = product_sizes(a_value, b_value);
  const auto emit = [this, sizes, rescale, a = *a, b = *b](DType dtype) {
    const Tensor dst = emitter_.allocate(dtype, sizes);
    emitter_.emit(
        runtime::int8::matmul_step(emitter_.name(), runtime::int8::kernels(),
                                   {operand_of(with_adjacent_rows(a, emitter_)), operand_of(b), dst, rescale}));
    return dst;
  };
  if (!chain) return Value(emit(DType::float32));
  return postpone(*chain, sizes, [this, emit, chain = *chain] { return chain_value(chain, emit(DType::uint8)); });
}

// The first product of an attention of which every operand is quantized. Nothing is emitted before the second one.
std::optional<Value> Int8Lowering::begin_attention(const Call& call, const OnGrid& query, const OnGrid& key) {
  const auto pattern = find_attention(call.node(), emitter_.shared());
  if (!pattern || !pattern->probabilities || query.bytes.dim() != 4 || key.bytes.size(-1) > kMaxProducts)
    return std::nullopt;
  const TensorMeta* mask = pattern->mask ? pattern->mask->type.tensor() : nullptr;
  if (pattern->mask && (!mask || mask->dtype != DType::float32)) return std::nullopt;
  const Node* value = pattern->result->input(1);
  const auto value_grid = value ? literal_grid(*value, kDequantize) : std::nullopt;
  if (!value_grid) return std::nullopt;
  const auto chain = find_int8_chain(*pattern->result, emitter_.shared());
  const integer::Grid probabilities = literal_grid(*pattern->probabilities, kQuantize)->grid;
  const TensorRescale rescale = rescale_of(probabilities.scale, value_grid->grid.scale, chain);
  if (chain && !stays_in_range(key.bytes.size(-1), rescale)) return std::nullopt;
  absorbed_.insert(pattern->between.begin(), pattern->between.end());
  attentions_.insert({pattern->result, {*pattern, query, key, probabilities, chain}});
  return Value(emitter_.allocate(DType::float32, product_sizes(query.bytes, key.bytes)));
}

Value Int8Lowering::lower_attention(const Call& call, const PendingAttention& pending) {
  const auto value = emitter_.on_grid(right_of(call));
  if (!value || !same_batches(pending.query.bytes, value->bytes))
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
  attention.rescale = rescale_of(p.scale, value.grid.scale, pending.chain);
  const DType dtype = pending.chain ? DType::uint8 : DType::float32;
  attention.dst = emitter_.allocate(dtype, sizes, strides_by_position(sizes));
  emitter_.emit(runtime::int8::attention_step(emitter_.name(), runtime::int8::kernels(), attention));
  return attention.dst;
}

}  // namespace qdq::lower
