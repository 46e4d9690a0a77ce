#include "observers/channels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qdq {

namespace {

// In a gap-free run of memory an element's channel is its position divided by the channel stride, modulo channels.
struct ChannelRuns {
  ChannelRuns(const Tensor& tensor, std::int64_t axis) {
    const auto d = static_cast<std::size_t>(axis);
    channels = tensor.sizes()[d];
    run = channels == 1       ? tensor.numel()
          : tensor.is_dense() ? tensor.strides()[d]
                              : contiguous_strides(tensor.sizes())[d];
    blocks = tensor.numel() / (run * channels);
  }
  std::int64_t channels, run, blocks;
};

}  // namespace

std::vector<Extremes> channel_extremes(const Tensor& tensor, std::int64_t axis, const float* values) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto [channels, run, blocks] = ChannelRuns(tensor, axis);
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

void for_each_channel(const Tensor& tensor, std::int64_t axis, const float* values,
                      const std::function<void(std::size_t, std::span<const float>)>& fn) {
  const auto [channels, run, blocks] = ChannelRuns(tensor, axis);
  const auto length = static_cast<std::size_t>(run);
  std::vector<float> gathered;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const float* first = values + channel * run;
    if (blocks == 1) {
      fn(static_cast<std::size_t>(channel), {first, length});
      continue;
    }
    gathered.clear();
    for (std::int64_t block = 0; block < blocks; ++block, first += channels * run)
      gathered.insert(gathered.end(), first, first + length);
    fn(static_cast<std::size_t>(channel), gathered);
  }
}

}  // namespace qdq
