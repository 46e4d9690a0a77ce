#include <algorithm>
#include <cmath>

#include "qdq/error.h"
#include "qdq/images.h"

// Resampling as Pillow does it on 8-bit images (src/libImaging/Resample.c there): each pixel of the result is a weighted
// sum of the pixels around its place, with weights rounded to 22 bits; first along rows, then along columns.
namespace qdq {
namespace {

constexpr int kBits = 22;  // 32, less 8 of the pixel and 2 for sums of weights beyond 1 and below 0

double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// The pixels that make one pixel of the result, and their weights.
struct Taps {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Taps> taps_for(std::int64_t from, std::int64_t to, Interpolation interpolation) {
  const bool is_cubic = interpolation == Interpolation::bicubic;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = (is_cubic ? 2.0 : 1.0) * stretch;
  std::vector<Taps> result(static_cast<std::size_t>(to));
  std::vector<double> weights;
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(center + support + 0.5), from);
    weights.clear();
    double sum = 0;
    for (std::int64_t x = first; x < end; ++x) {
      const double at = (static_cast<double>(x) - center + 0.5) * (1.0 / stretch);
      weights.push_back(is_cubic ? cubic(at) : triangle(at));
      sum += weights.back();
    }
    Taps& taps = result[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double weight : weights) {
      const double scaled = weight / sum * (1 << kBits);
      taps.weights.push_back(static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return result;
}

std::uint8_t to_pixel(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

Tensor resize_rows(const Tensor& image, std::int64_t width, Interpolation interpolation) {
  const std::int64_t channels = image.size(2);
  const std::vector<Taps> all = taps_for(image.size(1), width, interpolation);
  Tensor result = Tensor::empty(DType::uint8, {image.size(0), width, channels});
  std::uint8_t* out = result.data<std::uint8_t>();
  for (std::int64_t y = 0; y < image.size(0); ++y) {
    const std::uint8_t* row = image.data<std::uint8_t>() + y * image.size(1) * channels;
    for (const Taps& taps : all)
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int32_t sum = 1 << (kBits - 1);
        const std::uint8_t* pixel = row + taps.first * channels + c;
        for (const std::int32_t weight : taps.weights) {
          sum += weight * *pixel;
          pixel += channels;
        }
        *out++ = to_pixel(sum);
      }
  }
  return result;
}

Tensor resize_columns(const Tensor& image, std::int64_t height, Interpolation interpolation) {
  const std::int64_t row = image.size(1) * image.size(2);
  const std::vector<Taps> all = taps_for(image.size(0), height, interpolation);
  Tensor result = Tensor::empty(DType::uint8, {height, image.size(1), image.size(2)});
  std::uint8_t* out = result.data<std::uint8_t>();
  std::vector<std::int32_t> sums(static_cast<std::size_t>(row));
  for (const Taps& taps : all) {
    std::fill(sums.begin(), sums.end(), 1 << (kBits - 1));
    const std::uint8_t* pixels = image.data<std::uint8_t>() + taps.first * row;
    for (const std::int32_t weight : taps.weights) {
      for (std::int32_t& sum : sums) sum += weight * *pixels++;
    }
    out = std::transform(sums.begin(), sums.end(), out, to_pixel);
  }
  return result;
}

}  // namespace

Tensor resize_image(const Tensor& image, ImageSize size, Interpolation interpolation) {
  if (image.dtype() != DType::uint8 || image.dim() != 3 || image.numel() == 0)
    throw InvalidArgumentError("[image] expected uint8 [height, width, channels], found " +
                               std::string(name(image.dtype())) + to_string(image.sizes()));
  if (size.height < 1 || size.width < 1 || size.height > kMostPixels / size.width)
    throw InvalidArgumentError("[image] cannot resize to " + std::to_string(size.height) + " x " +
                               std::to_string(size.width) + " pixels");
  Tensor result = image.contiguous();
  if (size.width != result.size(1)) {
    // Between the two steps the image may be larger than before and after.
    if (size.width > kMostPixels / result.size(0))
      throw InvalidArgumentError("[image] cannot resize to a width of " + std::to_string(size.width));
    result = resize_rows(result, size.width, interpolation);
  }
  return size.height == result.size(0) ? result : resize_columns(result, size.height, interpolation);
}

}  // namespace qdq
