#pragma once
#include <array>

#include "qdq/tensor.h"

namespace qdq::runtime::int8 {

// Where the pixels of a tensor [N, C, spatial...] lie whose channel stride is 1, counted in elements. They are numbered along its batch
// and spatial dimensions.
class Pixels {
 public:
  explicit Pixels(const Tensor& tensor) {
    std::size_t at = 4;
    for (std::size_t d = tensor.sizes().size(); d-- > 0;) {
      if (d == 1) continue;
      sizes_[--at] = tensor.sizes()[d];
      strides_[at] = tensor.strides()[d];
    }
    std::int64_t next = 0;  // what the next dimension's stride must be
    for (std::size_t d = 4; d-- > 0;) {
      if (sizes_[d] == 1) continue;
      if (step_ == 0) step_ = next = strides_[d];
      evenly_spaced_ &= strides_[d] == next;
      next *= sizes_[d];
    }
  }

  // All pixels, not only those of a row, are step() apart.
  bool are_evenly_spaced() const { return evenly_spaced_; }
  std::int64_t step() const { return step_; }
  std::int64_t offset(std::int64_t pixel) const {
    if (evenly_spaced_) return pixel * step_;
    std::int64_t offset = 0;
    for (std::size_t d = 4; d-- > 0; pixel /= sizes_[d]) offset += pixel % sizes_[d] * strides_[d];
    return offset;
  }

 private:
  std::array<std::int64_t, 4> sizes_ = {1, 1, 1, 1}, strides_ = {};
  std::int64_t step_ = 0;
  bool evenly_spaced_ = true;
};

}  // namespace qdq::runtime::int8
