#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/matmul.h"

namespace qdq {
namespace {

struct Attention {
  Tensor output;
  Tensor log_sums;  // log(sum(exp(scores))) per query
};

// The mask as numbers to add to the scores, [..., queries, keys]: a boolean mask lets through what is true.
Tensor additive_mask(const Call& call, const Shape& scores, DType dtype) {
  Tensor mask = Tensor::empty(dtype, scores);
  if (call.has("attn_mask")) {
    const Tensor& given = call.tensor("attn_mask");
    const Tensor repeated = expand(call, given, scores);
    mask = given.dtype() != DType::bool_ ? repeated.to(dtype).clone()
                                         : map<bool>(repeated, [](bool attend) {
                                             return attend ? 0.0 : -std::numeric_limits<double>::infinity();
                                           }).to(dtype);
  }
  return mask;
}

// Keys and values of fewer heads serve groups of neighbouring query heads.
Tensor repeat_heads(const Call& call, const Tensor& tensor, std::int64_t heads) {
  const std::int64_t own = tensor.size(-3);
  if (own == 0 || heads % own != 0) call.fail("query heads must be a multiple of key and value heads");
  Shape sizes = tensor.sizes();
  sizes.insert(sizes.end() - 2, heads / own);
  Shape strides = tensor.strides();
  strides.insert(strides.end() - 2, 0);
  Shape merged = tensor.sizes();
  merged[merged.size() - 3] = heads;
  return tensor.as_strided(sizes, strides, tensor.storage_offset()).reshape(merged);
}

// softmax(query @ key^T * scale + mask) @ value. A query that may attend to nothing gives zeros.
Attention attend(const Call& call) {
  if (call.number("dropout_p") != 0) call.fail("attention with dropout is random");
  const Tensor& query = call.tensor("query");
  Tensor key = call.tensor("key");
  Tensor value = call.tensor("value");
  if (call.schema().find_arg("enable_gqa") && call.boolean("enable_gqa")) {
    key = repeat_heads(call, key, query.size(-3));
    value = repeat_heads(call, value, query.size(-3));
  }
  const double scale = call.has("scale") ? call.number("scale") : 1 / std::sqrt(static_cast<double>(query.size(-1)));
  Shape swapped;
  for (std::int64_t d = 0; d < key.dim(); ++d) swapped.push_back(d);
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  const DType wide = DType::float64;
  const Tensor scores = matmul(call, query.to(wide), key.to(wide).permute(swapped));
  const Tensor mask = additive_mask(call, scores.sizes(), wide);
  const std::int64_t queries = scores.size(-2);
  const std::int64_t keys = scores.size(-1);
  const bool is_causal = call.boolean("is_causal");
  Shape rows(scores.sizes().begin(), scores.sizes().end() - 1);
  Attention result{{}, Tensor::empty(wide, rows)};
  for (std::int64_t row = 0; row < numel(rows); ++row) {
    double* score = scores.data<double>() + row * keys;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k < keys; ++k) {
      const bool hidden = is_causal && k > row % queries;
      score[k] =
          hidden ? -std::numeric_limits<double>::infinity() : score[k] * scale + mask.data<double>()[row * keys + k];
      largest = std::max(largest, score[k]);
    }
    double sum = 0;
    for (std::int64_t k = 0; k < keys; ++k) {
      score[k] = std::isinf(largest) && largest < 0 ? 0 : std::exp(score[k] - largest);
      sum += score[k];
    }
    for (std::int64_t k = 0; k < keys && sum != 0; ++k) score[k] /= sum;
    result.log_sums.data<double>()[row] = largest + std::log(sum);
  }
  result.output = matmul(call, scores, value.to(wide)).to(query.dtype());
  return result;
}

std::vector<Value> eval_attention(const Call& call) { return {attend(call).output}; }

std::vector<Value> eval_flash_attention(const Call& call) {
  const Attention result = attend(call);
  return {result.output, result.log_sums.to(DType::float32)};
}

constexpr KernelRow kRows[] = {
    {"aten.scaled_dot_product_attention.default", eval_attention},
    {"aten._scaled_dot_product_flash_attention_for_cpu.default", eval_flash_attention},
};

}  // namespace

KernelFamily attention_kernels() { return kRows; }

}  // namespace qdq
