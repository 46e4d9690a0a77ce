#pragma once
#include <string>

#include "runtime/plan.h"

namespace qdq::runtime::onednn {

// out[..., M, N] = a[..., M, K] * b[..., K, N]: batches in any order, each matrix with a unit stride in one of its two
// dimensions, out contiguous along N. Float32. Work is cut the same way at any thread count.
Step batched_matmul_step(std::string name, const Tensor& a, const Tensor& b, const Tensor& out, float alpha);

// torch's scaled_dot_product_attention: softmax(scale * q k^T + mask) v, for q [B, H, M, E], k [B, G, N, E], v [B, G, N, F] with
// H a multiple of G (grouped queries); every last dimension contiguous. mask: float32, expanded to [B, H, M, N], or undefined.
// causal: query i sees keys 0..i.
struct Attention {
  Tensor query, key, value, mask, out;
  float scale = 1.0f;
  bool causal = false;
};
Step attention_step(std::string name, const Attention& attention);

}  // namespace qdq::runtime::onednn
