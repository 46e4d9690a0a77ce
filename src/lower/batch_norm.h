#pragma once
#include <optional>

#include "ops/call.h"

namespace qdq::lower {

// Inference-mode batch norm as one multiplication and one addition per channel:
// scale = gamma / sqrt(variance + eps), shift = beta - mean * scale (in double, stored as float32).
struct ChannelAffine {
  Tensor scale;  // [C]
  Tensor shift;  // [C]
};

bool is_batch_norm(const Node& node);
// Of a call of one of torch's batch norm ops; nothing when it uses batch statistics or its statistics are not float32.
// They must be real tensors.
std::optional<ChannelAffine> channel_affine_of(const Call& batch_norm);

}  // namespace qdq::lower
