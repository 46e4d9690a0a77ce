#pragma once
#include <array>

#include "runtime/int8/convolution.h"

namespace qdq::runtime::int8 {

using Three = std::array<std::int64_t, 3>;

// Finds the taps of output pixels in the input's memory. Pixels are numbered along the output's batch and spatial dimensions.
class Geometry {
 public:
  // Sizes and strides of `src` [N, C, spatial...] and the sizes of the output.
  Geometry(const Tensor& src, const Shape& out_sizes, const Window& window);

  std::int64_t pixels() const { return batch_ * out_[0] * out_[1] * out_[2]; }
  std::int64_t taps() const { return static_cast<std::int64_t>(tap_offsets_.size()); }
  std::int64_t row_length() const { return out_[2]; }

  // Writes the addresses of the taps of pixels [first, first + count) to pointers[pixel][stride]: in `src`, or `outside` for those
  // beyond the input.
  void find(const std::uint8_t* src, const std::uint8_t* outside, std::int64_t first, std::int64_t count,
            const std::uint8_t** pointers, std::int64_t stride) const;

 private:
  // The offset of one tap of the pixel at `out`, or -1.
  std::int64_t tap_offset(const Three& out, std::size_t tap) const;

  std::int64_t batch_;
  std::int64_t batch_stride_;
  Three in_, out_, in_strides_, kernel_, stride_, padding_, dilation_;
  bool transposed_;
  std::vector<Three> taps_;                // positions in the filter
  std::vector<std::int64_t> tap_offsets_;  // from the first tap of a pixel that is not transposed
};

}  // namespace qdq::runtime::int8
