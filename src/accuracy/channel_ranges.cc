#include "accuracy/channel_ranges.h"

#include <algorithm>
#include <limits>

namespace qdq {

void ChannelRanges::add(const Tensor& value, std::int64_t dim) {
  Tensor plain = value.to(DType::float32);
  if (plain.numel() == 0) return;
  const auto channel_dim = static_cast<std::size_t>(dim);
  const auto channels = static_cast<std::size_t>(plain.size(dim));
  // The order of the elements does not matter, so that channels that come last in memory need not be moved.
  const bool channels_last = plain.is_dense() && plain.strides()[channel_dim] == 1 && plain.size(dim) > 1;
  if (!channels_last) plain = plain.contiguous();
  std::int64_t inner = 1;
  if (!channels_last)
    for (std::size_t d = channel_dim + 1; d < plain.sizes().size(); ++d) inner *= plain.sizes()[d];
  min_.resize(channels, std::numeric_limits<float>::infinity());
  max_.resize(channels, -std::numeric_limits<float>::infinity());
  squares_.resize(channels);
  const float* at = plain.data<float>();
  const std::int64_t runs = plain.numel() / inner;
  if (inner == 1) {
    for (std::int64_t row = 0; row < runs / plain.size(dim); ++row, at += channels)
      for (std::size_t c = 0; c < channels; ++c) {
        min_[c] = std::min(min_[c], at[c]);
        max_[c] = std::max(max_[c], at[c]);
        squares_[c] += static_cast<double>(at[c] * at[c]);
      }
  } else {
    for (std::int64_t run = 0; run < runs; ++run, at += inner) {
      const auto c = static_cast<std::size_t>(run) % channels;
      const auto [least, most] = std::minmax_element(at, at + inner);
      min_[c] = std::min(min_[c], *least);
      max_[c] = std::max(max_[c], *most);
      double sum = 0;
      for (std::int64_t i = 0; i < inner; ++i) sum += static_cast<double>(at[i] * at[i]);
      squares_[c] += sum;
    }
  }
  count_ += plain.numel() / plain.size(dim);
}

std::vector<double> ChannelRanges::mean_squares() const {
  std::vector<double> result = squares_;
  for (double& x : result) x /= static_cast<double>(std::max<std::int64_t>(count_, 1));
  return result;
}

}  // namespace qdq
