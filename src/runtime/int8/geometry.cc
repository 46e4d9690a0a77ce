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
      dilation_(last_three(window.dilation, 0, 1)) {
  for (std::int64_t d = 0; d < kernel_[0]; ++d)
    for (std::int64_t h = 0; h < kernel_[1]; ++h)
      for (std::int64_t w = 0; w < kernel_[2]; ++w) {
        reaches_.push_back({d * dilation_[0], h * dilation_[1], w * dilation_[2]});
        tap_offsets_.push_back(d * dilation_[0] * in_strides_[0] + h * dilation_[1] * in_strides_[1] +
                               w * dilation_[2] * in_strides_[2]);
      }
  const auto is_inside = [&](std::int64_t x) {
    const std::int64_t at = x * stride_[2] - padding_[2];
    return at >= 0 && at + (kernel_[2] - 1) * dilation_[2] < in_[2];
  };
  while (inside_begin_ < out_[2] && !is_inside(inside_begin_)) ++inside_begin_;
  inside_end_ = inside_begin_;
  while (inside_end_ < out_[2] && is_inside(inside_end_)) ++inside_end_;
  if (reaches_.size() == 1 && in_ == out_) pixel_step_ = find_pixel_step();
}

std::pair<std::int64_t, std::int64_t> Geometry::filter_rows_inside(std::int64_t row) const {
  if (kernel_[0] != 1) return {0, kernel_[0] * kernel_[1]};
  const auto is_inside = [&](std::int64_t h) {
    const std::int64_t at = row * stride_[1] - padding_[1] + h * dilation_[1];
    return at >= 0 && at < in_[1];
  };
  std::int64_t begin = 0, end = kernel_[1];
  while (begin < end && !is_inside(begin)) ++begin;
  while (end > begin && !is_inside(end - 1)) --end;
  return {begin, end};
}

std::int64_t Geometry::find_pixel_step() const {
  if (padding_ != Three{0, 0, 0}) return 0;
  std::int64_t step = 0;
  std::int64_t next = 0;  // what the next dimension's stride must be
  const auto take = [&](std::int64_t size, std::int64_t stride) {
    if (size == 1) return true;
    if (step == 0) step = next = stride;
    if (stride != next) return false;
    next *= size;
    return true;
  };
  for (std::size_t d = 3; d-- > 0;)
    if (!take(in_[d], in_strides_[d])) return 0;
  return take(batch_, batch_stride_) ? step : 0;
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
  if (pixel_step_ != 0) {
    for (std::int64_t pixel = 0; pixel < count; ++pixel) pointers[pixel * stride] = src + (first + pixel) * pixel_step_;
    return;
  }
  const std::int64_t* offsets = tap_offsets_.data();
  visit(
      src, first, count,
      [&](std::int64_t pixel, const std::uint8_t* start) {
        const std::uint8_t** to = pointers + pixel * stride;
        constexpr std::size_t kUsual = 9;  // a number that the compiler knows
        if (taps == kUsual)
          for (std::size_t t = 0; t < kUsual; ++t) to[t] = start + offsets[t];
        else
          for (std::size_t t = 0; t < taps; ++t) to[t] = start + offsets[t];
      },
      [&](std::int64_t pixel, const auto& address) {
        for (std::size_t t = 0; t < taps; ++t) {
          const std::uint8_t* tap = address(t);
          pointers[pixel * stride + static_cast<std::int64_t>(t)] = tap ? tap : outside;
        }
      });
}

}  // namespace qdq::runtime::int8
