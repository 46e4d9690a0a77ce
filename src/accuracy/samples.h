#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "qdq/tensor.h"

namespace qdq {

// The samples of a batch, when all its inputs count them in front.
inline std::optional<std::int64_t> samples_of(const std::vector<Tensor>& batch) {
  std::optional<std::int64_t> samples;
  for (const Tensor& input : batch) {
    if (input.dim() == 0 || (samples && *samples != input.size(0))) return std::nullopt;
    samples = input.size(0);
  }
  return samples;
}

}  // namespace qdq
