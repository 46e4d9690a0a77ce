#pragma once
#include <optional>
#include <string>

#include "runtime/int8/matmul.h"

namespace qdq::runtime::int8 {

// softmax(score_multiplier * query * key + mask) * value for query [B, H, M, D], key [B, G, D, N] and value [B, G, N, F] with H a multiple
// of G (grouped queries); mask: float32, expanded to [B, H, M, N], or undefined. causal: query i sees keys 0..i.
struct Attention {
  Operand query, key, value;
  Tensor mask;
  Tensor dst;  // [B, H, M, F], uint8 or float32, its last dimension of stride 1
  bool causal = false;
  float score_multiplier = 1.0f;
  // Of a softmax that is quantized. Without, its results have 16 bits: WeightRescale.
  std::optional<ProbabilityRescale> probabilities;
  TensorRescale rescale;
};
Step attention_step(std::string name, const Kernels& kernels, const Attention& attention);

}  // namespace qdq::runtime::int8
