#pragma once
#include <cstdint>
#include <span>

namespace qdq {

struct HistogramRange {
  float min;
  float max;
};

// The part of [min, max] whose uniform quantization to `levels` levels has the least squared error for a histogram over
// [min, max], as PyTorch's search finds it: from both ends inwards, 1e-5 of the values at a time, until the error grows.
HistogramRange search_histogram_range(std::span<const float> histogram, float min, float max, double levels);

// torch.sum of contiguous float32, in its order of additions (one thread).
float torch_sum(std::span<const float> values);

}  // namespace qdq
