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
  // The columns of the output whose taps all lie inside the input's.
  std::pair<std::int64_t, std::int64_t> inside_columns() const { return {inside_begin_, inside_end_}; }
  // The row of the output that a pixel lies in.
  std::int64_t row_of(std::int64_t pixel) const { return pixel / out_[2] % out_[1]; }
  std::int64_t rows() const { return out_[1]; }
  // The rows of a filter of up to two dimensions that lie inside the input for a row of the output: [begin, end).
  std::pair<std::int64_t, std::int64_t> filter_rows_inside(std::int64_t row) const;
  // From a tap to that of the next pixel of a row.
  std::int64_t column_step() const { return stride_[2] * in_strides_[2]; }

  // From the first tap to another one of a pixel whose taps all lie inside.
  std::int64_t tap_offset(std::int64_t tap) const { return tap_offsets_[static_cast<std::size_t>(tap)]; }

  // Runs of taps that lie behind each other in memory when a tap is `depth` bytes: (offset from the first tap, bytes).
  std::vector<std::pair<std::int64_t, std::int64_t>> runs(std::int64_t depth) const;

  // Writes the addresses of the taps of pixels [first, first + count) to pointers[pixel][stride]: in `src`, or `outside` for those
  // beyond the input.
  void find(const std::uint8_t* src, const std::uint8_t* outside, std::int64_t first, std::int64_t count,
            const std::uint8_t** pointers, std::int64_t stride) const;
  // Calls interior(pixel, address of its first tap) for pixels whose taps all lie inside, edge(pixel, fn) for others, where fn(tap) is
  // the address of a tap or null. Pixels count from 0.
  template <typename Interior, typename Edge>
  void visit(const std::uint8_t* src, std::int64_t first, std::int64_t count, Interior&& interior, Edge&& edge) const;

 private:
  // The distance of pixel n + 1 from pixel n if it is the same for all n; else 0.
  std::int64_t find_pixel_step() const;
  // The offset from its image of one tap of a pixel whose first tap lies at `origin`, inside or not; or -1.
  std::int64_t tap_offset_from(const Three& origin, std::int64_t origin_offset, std::size_t tap) const {
    for (std::size_t d = 0; d < 3; ++d)
      if (static_cast<std::uint64_t>(origin[d] + reaches_[tap][d]) >= static_cast<std::uint64_t>(in_[d])) return -1;
    return origin_offset + tap_offsets_[tap];
  }

  std::int64_t batch_;
  std::int64_t batch_stride_;
  Three in_, out_, in_strides_, kernel_, stride_, padding_, dilation_;
  std::int64_t inside_begin_ = 0, inside_end_ = 0;  // the columns of the output whose taps lie inside
  std::int64_t pixel_step_ = 0;                     // of a filter of one tap whose pixels follow each other; else 0
  std::vector<Three> reaches_;                      // of the taps in the input, from the first one
  std::vector<std::int64_t> tap_offsets_;           // from the first tap
};

template <typename Interior, typename Edge>
void Geometry::visit(const std::uint8_t* src, std::int64_t first, std::int64_t count, Interior&& interior,
                     Edge&& edge) const {
  Three out = {first / (out_[2] * out_[1]) % out_[0], first / out_[2] % out_[1], first % out_[2]};
  const std::uint8_t* image = src + first / (out_[2] * out_[1] * out_[0]) * batch_stride_;
  for (std::int64_t pixel = 0; pixel < count;) {
    bool inside = true;
    Three origin = {0, 0, -padding_[2]};  // of the first tap
    std::int64_t start = origin[2] * in_strides_[2];
    for (std::size_t d = 0; d < 2; ++d) {
      origin[d] = out[d] * stride_[d] - padding_[d];
      inside &= origin[d] >= 0 && origin[d] + (kernel_[d] - 1) * dilation_[d] < in_[d];
      start += origin[d] * in_strides_[d];
    }
    for (; out[2] < out_[2] && pixel < count; ++out[2], ++pixel) {
      const std::int64_t at = start + out[2] * stride_[2] * in_strides_[2];
      origin[2] = out[2] * stride_[2] - padding_[2];
      if (inside && out[2] >= inside_begin_ && out[2] < inside_end_)
        interior(pixel, image + at);
      else
        edge(pixel, [&](std::size_t tap) -> const std::uint8_t* {
          const std::int64_t offset = tap_offset_from(origin, at, tap);
          return offset < 0 ? nullptr : image + offset;
        });
    }
    if (out[2] < out_[2]) return;
    out[2] = 0;
    if (++out[1] < out_[1]) continue;
    out[1] = 0;
    if (++out[0] < out_[0]) continue;
    out[0] = 0;
    image += batch_stride_;
  }
}

}  // namespace qdq::runtime::int8
