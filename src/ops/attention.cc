#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

Shape attention_sizes(const Call& call) {
  Shape sizes = call.tensor("query").sizes();
  if (sizes.size() < 2) call.fail("query must have at least 2 dimensions");
  sizes.back() = call.tensor("value").size(-1);
  return sizes;
}

std::vector<Value> infer_attention(const Call& call) {
  return {meta_value(call.tensor("query").dtype(), attention_sizes(call))};
}

// The second result, the log of the softmax denominators, is [batch, heads, length].
std::vector<Value> infer_flash_attention(const Call& call) {
  const Tensor& query = call.tensor("query");
  const Shape denominators(query.sizes().begin(), query.sizes().end() - 1);
  return {meta_value(query.dtype(), attention_sizes(call)), meta_value(DType::float32, denominators)};
}

constexpr OpRow kRows[] = {
    {"aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, "
     "float dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
     infer_attention},
    {"aten::_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float "
     "dropout_p=0., bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output,"
     " Tensor logsumexp)",
     infer_flash_attention},
};

}  // namespace

OpFamily attention_ops() { return kRows; }

}  // namespace qdq
