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

std::vector<std::pair<std::int64_t, std::int64_t>> Geometry::runs(std::int64_t depth) const {
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  for (const std::int64_t offset : tap_offsets_) {
    if (!runs.empty() && runs.back().first + runs.back().second == offset)
      runs.back().second += depth;
    else
      runs.emplace_back(offset, depth);
  }
  return runs;
}

void Geometry::find(const std::uint8_t* src, const std::uint8_t* outside, std::int64_t first, std::int64_t count,
                    const std::uint8_t** pointers, std::int64_t stride) const {
  const std::size_t taps = tap_offsets_.size();
  visit(
      src, first, count,
      [&](std::int64_t pixel, const std::uint8_t* start) {
        for (std::size_t t = 0; t < taps; ++t)
          pointers[pixel * stride + static_cast<std::int64_t>(t)] = start + tap_offsets_[t];
      },
      [&](std::int64_t pixel, const auto& address) {
        for (std::size_t t = 0; t < taps; ++t) {
          const std::uint8_t* tap = address(t);
          pointers[pixel * stride + static_cast<std::int64_t>(t)] = tap ? tap : outside;
        }
      });
}

}  // namespace qdq::runtime::int8
