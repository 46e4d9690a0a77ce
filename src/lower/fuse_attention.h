#pragma once
#include <unordered_map>
#include <unordered_set>

#include "lower/attention_pattern.h"
#include "ops/call.h"

namespace qdq::lower {

// Runs attention in float that is spelled out (AttentionPattern) as one step, whose scores stay in the cache:
//
//     matmul -> mul -> add(mask) -> softmax -> matmul     becomes   attention
class AttentionFusion {
 public:
  explicit AttentionFusion(Emitter& emitter) : emitter_(emitter) {}

  // The value of the call, if it is part of such an attention. `value_of` gives the values of nodes before it.
  std::optional<Value> lower(const Call& call, const std::function<const Value&(const Node&)>& value_of);

 private:
  struct Pending {
    AttentionPattern pattern;
    Tensor query, key;  // [B, H, M, D] and [B, H, D, N]
  };

  bool begins(const Call& call);
  Value finish(const Call& call, const Pending& pending, const std::function<const Value&(const Node&)>& value_of);

  Emitter& emitter_;
  std::unordered_map<const Node*, Pending> pending_;  // by the second product
  std::unordered_set<const Node*> absorbed_;
};

}  // namespace qdq::lower
