#include "observers/channels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qdq {

std::vector<Extremes> channel_extremes(const Tensor& tensor, std::int64_t axis, const float* values) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto d = static_cast<std::size_t>(axis);
  // In a gap-free run of memory an element's channel is its position divided by the channel stride, modulo channels.
  const std::int64_t channels = tensor.sizes()[d];
  const std::int64_t run = channels == 1       ? tensor.numel()
                           : tensor.is_dense() ? tensor.strides()[d]
                                               : contiguous_strides(tensor.sizes())[d];
  const std::int64_t blocks = tensor.numel() / (run * channels);
  std::vector<Extremes> result(static_cast<std::size_t>(channels), Extremes{kInf, -kInf});
  for (std::int64_t block = 0; block < blocks; ++block)
    for (Extremes& channel : result) {
      const Extremes found = run == 1 ? Extremes{*values, *values} : observer_kernels().min_max(values, run);
      // A NaN stays: comparisons with it are false.
      if (std::isnan(found.min) || found.min < channel.min) channel.min = found.min;
      if (std::isnan(found.max) || found.max > channel.max) channel.max = found.max;
      values += run;
    }
  return result;
}

}  // namespace qdq
