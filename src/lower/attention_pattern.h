#pragma once
#include <optional>
#include <vector>

#include "lower/emitter.h"

namespace qdq::lower {

// Attention that is spelled out, found from its first product. Nobody looks at what lies between the two products:
//
//     matmul(query, keys) -> [mul | div by a number] -> [add mask] -> softmax -> [quantize -> dequantize] -> matmul(., value)
struct AttentionPattern {
  const Node* scores = nullptr;         // the first product
  double scale = 1.0;                   // that the scores are multiplied with
  const Node* mask = nullptr;           // that is added to them, or null
  const Node* probabilities = nullptr;  // the quantize node behind the softmax, or null
  const Node* result = nullptr;         // the second product
  std::vector<const Node*> between;     // from the first product to what the second one reads
};
std::optional<AttentionPattern> find_attention(const Node& scores, const Shared& shared);

}  // namespace qdq::lower
