#pragma once
#include <memory>
#include <vector>

#include "runtime/int8/convolution.h"

namespace qdq::runtime::int8 {

// Filters of 3 x 3 taps with stride 1 as a WinogradKernel transforms them. Made once for all plans of a program.
class WinogradWeights {
 public:
  // Whether the set has such a kernel and it pays for a convolution with this weight, int8 [O, C / groups, k...], and results of these
  // sizes.
  static bool fits(const Kernels& kernels, const Tensor& weight, std::int64_t groups, const Window& window,
                   const Shape& sizes);

  WinogradWeights(const Kernels& kernels, const Tensor& weight);

  const Kernels& kernels() const { return kernels_; }
  std::int64_t channels() const { return static_cast<std::int64_t>(sums_.size()); }
  std::int64_t depth() const { return depth_; }
  // Of the kernel's columns from `channel` and the input channels from `depth` on: [depth / 2][9][columns][2], padded with zeros.
  const std::int8_t* filters(std::int64_t channel, std::int64_t depth) const;
  const std::int8_t* end() const { return reinterpret_cast<const std::int8_t*>(storage_->data()) + storage_->size(); }
  // The sum of all weights of an output channel.
  std::int32_t sum(std::int64_t channel) const { return sums_[static_cast<std::size_t>(channel)]; }
  // What no sum of bytes times weights is farther from 0.
  std::int64_t largest_sum() const { return largest_sum_; }

 private:
  const Kernels& kernels_;
  std::int64_t depth_, largest_sum_ = 0;
  std::vector<std::int32_t> sums_;
  std::shared_ptr<Storage> storage_;
};

// A convolution with these weights.
Step winograd_step(std::string name, const Convolution& convolution);

}  // namespace qdq::runtime::int8
