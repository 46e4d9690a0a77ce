#include "runtime/onednn/attention.h"

#include <cmath>

#include "lower/attention_mask.h"
#include "lower/kernel_list.h"
#include "runtime/elementwise.h"

namespace qdq::lower {

Tensor additive_mask(const Tensor& mask, const Shape& sizes, Emitter& emitter) {
  if (!mask.defined() || is_float(mask)) return mask.defined() ? runtime::broadcast_to(mask, sizes) : mask;
  Tensor compact = mask;
  for (std::int64_t d = 0; d < mask.dim(); ++d)
    if (mask.strides()[static_cast<std::size_t>(d)] == 0 && mask.size(d) > 1) compact = compact.narrow(d, 0, 1);
  const Tensor converted = emitter.allocate(DType::float32, compact.sizes());
  emitter.emit(runtime::mask_step(emitter.name() + ".mask", compact, converted));
  return runtime::broadcast_to(runtime::broadcast_to(converted, mask.sizes()), sizes);
}

namespace {

// Keys and queries as gemm reads them: the last dimension adjacent.
Tensor with_adjacent_rows(const Tensor& t, Emitter& emitter) {
  return t.strides().back() == 1 && t.strides()[2] >= t.size(-1) ? t : emitter.contiguous(t);
}

std::optional<Value> lower_attention(const Call& call, Emitter& emitter) {
  const Tensor& query = call.tensor("query");
  const Tensor& key = call.tensor("key");
  const Tensor& value = call.tensor("value");
  const Tensor mask = call.optional_tensor("attn_mask");
  const bool causal = call.boolean("is_causal");
  const bool supported =
      is_float(query) && is_float(key) && is_float(value) && query.dim() == 4 && key.dim() == 4 && value.dim() == 4 &&
      query.numel() > 0 && key.numel() > 0 && call.number("dropout_p") == 0.0 && query.size(0) == key.size(0) &&
      key.size(1) > 0 && query.size(1) % key.size(1) == 0 && key.size(1) == value.size(1) &&
      (!mask.defined() || is_float(mask) || mask.dtype() == DType::bool_) && !(causal && mask.defined());
  if (!supported) return std::nullopt;
  const std::int64_t batch = query.size(0);
  const std::int64_t heads = query.size(1);
  const std::int64_t queries = query.size(2);
  const std::int64_t width = value.size(3);
  runtime::onednn::Attention attention;
  attention.query = with_adjacent_rows(query, emitter);
  attention.key = with_adjacent_rows(key, emitter);
  attention.value = with_adjacent_rows(value, emitter);
  attention.mask = additive_mask(mask, {batch, heads, queries, key.size(2)}, emitter);
  attention.causal = causal;
  attention.scale = static_cast<float>(call.has("scale") ? call.number("scale")
                                                         : 1.0 / std::sqrt(static_cast<double>(query.size(3))));
  // Heads of one position side by side: what follows is a transpose and a reshape, which then cost nothing.
  const Shape sizes = {batch, heads, queries, width};
  attention.out = emitter.shared().aliases.needs_row_major(emitter.node())
                      ? emitter.allocate(DType::float32, sizes)
                      : emitter.allocate(DType::float32, sizes, {queries * heads * width, width, heads * width, 1});
  emitter.emit(runtime::onednn::attention_step(emitter.name(), attention));
  return Value(attention.out);
}

constexpr KernelRow kRows[] = {{"aten.scaled_dot_product_attention.default", lower_attention}};

}  // namespace

KernelFamily attention_kernels() { return kRows; }

}  // namespace qdq::lower
