#pragma once
#include <vector>

#include "qdq/tensor.h"

namespace qdq {

// Least and greatest value and sum of squares of each channel, gathered over values.
class ChannelRanges {
 public:
  // `dim` counts the channels.
  void add(const Tensor& value, std::int64_t dim);

  bool empty() const { return count_ == 0; }
  const std::vector<float>& min() const { return min_; }  // one for each channel; empty before the first value
  const std::vector<float>& max() const { return max_; }
  std::vector<double> mean_squares() const;

 private:
  std::vector<float> min_;
  std::vector<float> max_;
  std::vector<double> squares_;
  std::int64_t count_ = 0;  // of values in each channel
};

}  // namespace qdq
