#include "runtime/int8/geometry.h"

namespace qdq::runtime::int8 {
namespace {

// The last dimensions of `values` from `skip` on; missing ones in front are `otherwise`.
Three last_three(const Shape& values, std::size_t skip, std::int64_t otherwise) {
  Three three;
  three.fill(otherwise);
  const std::size_t count = values.size() - skip;
  for (std::size_t d = 0; d < count; ++d) three[3 - count + d] = values[skip + d];
  return three;
}

}  // namespace

Geometry::Geometry(const Tensor& src, const Shape& out_sizes, const Window& window)
    : batch_(src.size(0)),
      batch_stride_(src.strides()[0]),
      in_(last_three(src.sizes(), 2, 1)),
      out_(last_three(out_sizes, 2, 1)),
      in_strides_(last_three(src.strides(), 2, 0)),
      kernel_(last_three(window.kernel, 0, 1)),
      stride_(last_three(window.stride, 0, 1)),
      padding_(last_three(window.padding, 0, 0)),
      dilation_(last_three(window.dilation, 0, 1)),
      transposed_(window.transposed) {
  for (std::int64_t d = 0; d < kernel_[0]; ++d)
    for (std::int64_t h = 0; h < kernel_[1]; ++h)
      for (std::int64_t w = 0; w < kernel_[2]; ++w) {
        taps_.push_back({d, h, w});
        tap_offsets_.push_back(d * dilation_[0] * in_strides_[0] + h * dilation_[1] * in_strides_[1] +
                               w * dilation_[2] * in_strides_[2]);
      }
}

std::int64_t Geometry::tap_offset(const Three& out, std::size_t tap) const {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < 3; ++d) {
    std::int64_t at = out[d] * stride_[d] - padding_[d] + taps_[tap][d] * dilation_[d];
    if (transposed_) {
      const std::int64_t spread = out[d] + padding_[d] - taps_[tap][d] * dilation_[d];
      if (spread % stride_[d] != 0) return -1;
      at = spread / stride_[d];
    }
    if (at < 0 || at >= in_[d]) return -1;
    offset += at * in_strides_[d];
  }
  return offset;
}

void Geometry::find(const std::uint8_t* src, const std::uint8_t* outside, std::int64_t first, std::int64_t count,
                    const std::uint8_t** pointers, std::int64_t stride) const {
  Three out = {first / (out_[2] * out_[1]) % out_[0], first / out_[2] % out_[1], first % out_[2]};
  const std::uint8_t* image = src + first / (out_[2] * out_[1] * out_[0]) * batch_stride_;
  const std::size_t taps = tap_offsets_.size();
  for (std::int64_t pixel = 0; pixel < count; ++pixel, pointers += stride) {
    bool interior = !transposed_;
    std::int64_t start = 0;  // of the first tap
    for (std::size_t d = 0; d < 3 && interior; ++d) {
      const std::int64_t at = out[d] * stride_[d] - padding_[d];
      interior = at >= 0 && at + (kernel_[d] - 1) * dilation_[d] < in_[d];
      start += at * in_strides_[d];
    }
    if (interior) {
      for (std::size_t t = 0; t < taps; ++t) pointers[t] = image + start + tap_offsets_[t];
    } else {
      for (std::size_t t = 0; t < taps; ++t) {
        const std::int64_t offset = tap_offset(out, t);
        pointers[t] = offset < 0 ? outside : image + offset;
      }
    }
    if (++out[2] < out_[2]) continue;
    out[2] = 0;
    if (++out[1] < out_[1]) continue;
    out[1] = 0;
    if (++out[0] < out_[0]) continue;
    out[0] = 0;
    image += batch_stride_;
  }
}

}  // namespace qdq::runtime::int8
