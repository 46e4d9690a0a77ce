#include "accuracy/channel_means.h"

#include <algorithm>
#include <cmath>

namespace qdq {

void ChannelMeans::add(const Tensor& value, std::int64_t dim) {
  const Tensor plain = value.to(DType::float32).contiguous();
  const std::int64_t channels = plain.size(dim);
  sums_.resize(static_cast<std::size_t>(channels));
  squares_.resize(sums_.size());
  if (plain.numel() == 0) return;
  const std::int64_t inner = numel(std::span(plain.sizes()).subspan(static_cast<std::size_t>(dim) + 1));
  const float* at = plain.data<float>();
  const std::int64_t rows = plain.numel() / inner;
  for (std::int64_t row = 0; row < rows; ++row, at += inner) {
    double sum = 0;
    double square = 0;
    for (std::int64_t i = 0; i < inner; ++i) {
      const double x = at[i];
      sum += x;
      square += x * x;
    }
    sums_[static_cast<std::size_t>(row % channels)] += sum;
    squares_[static_cast<std::size_t>(row % channels)] += square;
  }
  count_ += plain.numel() / channels;
}

std::vector<double> ChannelMeans::means() const {
  std::vector<double> result = sums_;
  for (double& x : result) x /= static_cast<double>(std::max<std::int64_t>(count_, 1));
  return result;
}

std::vector<double> ChannelMeans::standard_deviations() const {
  std::vector<double> result = means();
  for (std::size_t c = 0; c < result.size(); ++c)
    result[c] = std::sqrt(
        std::max(0.0, squares_[c] / static_cast<double>(std::max<std::int64_t>(count_, 1)) - result[c] * result[c]));
  return result;
}

}  // namespace qdq
