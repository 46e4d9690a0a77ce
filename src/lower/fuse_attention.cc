#include "lower/fuse_attention.h"

#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"
#include "runtime/onednn/attention.h"

namespace qdq::lower {
namespace {

bool is_batch_of_heads(const Tensor& t) { return is_float(t) && t.dim() == 4 && t.numel() > 0; }

// The last dimension adjacent, as the products want it.
Tensor with_adjacent_rows(const Tensor& t, Emitter& emitter) {
  return t.strides().back() == 1 && t.strides()[2] >= t.size(-1) ? t : emitter.contiguous(t);
}

}  // namespace

std::optional<Value> AttentionFusion::lower(const Call& call,
                                            const std::function<const Value&(const Node&)>& value_of) {
  if (absorbed_.contains(&call.node())) return Value(first_tensor(call));
  if (!call.node().is("aten.matmul.default")) return std::nullopt;
  if (const auto known = pending_.find(&call.node()); known != pending_.end())
    return finish(call, known->second, value_of);
  if (!begins(call)) return std::nullopt;
  Shape sizes = call.tensor("self").sizes();
  sizes.back() = call.tensor("other").size(-1);
  return Value(emitter_.allocate(DType::float32, sizes));  // the scores, which nobody reads
}

bool AttentionFusion::begins(const Call& call) {
  const Tensor& query = call.tensor("self");
  const Tensor& key = call.tensor("other");
  if (!is_batch_of_heads(query) || !is_batch_of_heads(key) || query.size(0) != key.size(0) ||
      query.size(1) != key.size(1))
    return false;
  const auto pattern = find_attention(call.node(), emitter_.shared());
  if (!pattern || pattern->probabilities) return false;
  const TensorMeta* value = pattern->result->input(1) ? pattern->result->input(1)->type.tensor() : nullptr;
  if (!value || value->dtype != DType::float32 || value->sizes.size() != 4) return false;
  if (pattern->mask) {
    const TensorMeta* mask = pattern->mask->type.tensor();
    if (!mask || mask->dtype != DType::float32) return false;
  }
  absorbed_.insert(pattern->between.begin(), pattern->between.end());
  pending_.insert({pattern->result, {*pattern, query, key}});
  return true;
}

Value AttentionFusion::finish(const Call& call, const Pending& pending,
                              const std::function<const Value&(const Node&)>& value_of) {
  const Tensor& key = pending.key;
  const Tensor& value = call.tensor("other");
  if (value.size(0) != key.size(0) || value.size(1) != key.size(1))
    call.fail("the values that attention sums up have other batches than its keys");
  Shape sizes = pending.query.sizes();
  runtime::onednn::Attention attention;
  attention.query = with_adjacent_rows(pending.query, emitter_);
  attention.key = with_adjacent_rows(key.permute(std::array<std::int64_t, 4>{0, 1, 3, 2}), emitter_);
  attention.value = with_adjacent_rows(value, emitter_);
  attention.scale = static_cast<float>(pending.pattern.scale);
  if (pending.pattern.mask) {
    sizes.back() = key.size(-1);
    attention.mask = runtime::broadcast_to(*value_of(*pending.pattern.mask).tensor(), sizes);
  }
  sizes.back() = value.size(-1);
  const std::int64_t heads = sizes[1], rows = sizes[2], width = sizes[3];
  // Heads of one position side by side: what follows is a transpose and a reshape, which then cost nothing.
  attention.out = emitter_.shared().aliases.needs_row_major(call.node())
                      ? emitter_.allocate(DType::float32, sizes)
                      : emitter_.allocate(DType::float32, sizes, {rows * heads * width, width, heads * width, 1});
  emitter_.emit(runtime::onednn::attention_step(emitter_.name(), attention));
  return Value(attention.out);
}

}  // namespace qdq::lower
