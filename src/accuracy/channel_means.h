#pragma once
#include <cstdint>
#include <vector>

#include "qdq/tensor.h"

namespace qdq {

// Means and standard deviations along one dimension, over all others, gathered over batches in double precision.
class ChannelMeans {
 public:
  // `dim` counts from the front. Any floating-point dtype; as many channels each time.
  void add(const Tensor& value, std::int64_t dim);

  std::vector<double> means() const;  // empty before the first value
  std::vector<double> standard_deviations() const;

 private:
  std::int64_t count_ = 0;  // values in each channel
  std::vector<double> sums_;
  std::vector<double> squares_;
};

}  // namespace qdq
