#include "accuracy/patches.h"

#include <numeric>
#include <span>
#include <string>

#include "accuracy/weighted_layers.h"

namespace qdq {
namespace {

// The windows of a convolution along its spatial dimensions.
struct Windows {
  Shape kernel, stride, padding, dilation, input, output;
};

Shape ints_of(const Node& layer, std::size_t index, std::size_t dims, std::int64_t otherwise) {
  if (index >= layer.args().size() || layer.arg(index).is_none()) return Shape(dims, otherwise);
  Shape values = layer.arg(index).to_ints();
  if (values.size() == 1) values.resize(dims, values.front());
  return values;
}

Windows windows_of(const Node& layer, const Shape& weight, const Shape& input) {
  const std::size_t dims = weight.size() - 2;
  Windows w;
  w.kernel.assign(weight.begin() + 2, weight.end());
  w.input.assign(input.end() - static_cast<std::ptrdiff_t>(dims), input.end());
  w.stride = ints_of(layer, 3, dims, 1);
  w.dilation = ints_of(layer, 5, dims, 1);
  const auto* word = layer.args().size() > 4 ? layer.arg(4).get_if<std::string>() : nullptr;
  w.padding = word ? Shape(dims, 0) : ints_of(layer, 4, dims, 0);
  for (std::size_t d = 0; d < dims; ++d) {
    const std::int64_t reach = w.dilation[d] * (w.kernel[d] - 1);
    const bool is_same = word && *word == "same";
    if (is_same) w.padding[d] = reach / 2;
    const std::int64_t both = is_same ? reach : 2 * w.padding[d];
    w.output.push_back((w.input[d] + both - reach - 1) / w.stride[d] + 1);
  }
  return w;
}

// Writes the window of output position `at` of one channel.
void read_window(const Windows& w, const Shape& at, const float* channel, float* out) {
  const std::int64_t taps = numel(w.kernel);
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    std::int64_t offset = 0;
    std::int64_t rest = tap;
    std::int64_t inner = taps;
    bool inside = true;
    for (std::size_t d = 0; d < w.kernel.size(); ++d) {
      inner /= w.kernel[d];
      const std::int64_t x = at[d] * w.stride[d] - w.padding[d] + rest / inner * w.dilation[d];
      rest %= inner;
      inside = inside && x >= 0 && x < w.input[d];
      offset = offset * w.input[d] + x;
    }
    out[tap] = inside ? channel[offset] : 0.0F;
  }
}

// How far from one position to the next, so that `most` of `positions` are met and columns are not all the same.
std::int64_t step_over(std::int64_t positions, std::int64_t most) {
  std::int64_t step = (positions + most - 1) / most;
  while (step > 1 && std::gcd(step, positions) != 1) ++step;
  return std::max<std::int64_t>(step, 1);
}

}  // namespace

Tensor patches(const Node& layer, const Shape& weight_sizes, const Tensor& input, std::int64_t group,
               std::int64_t most) {
  const Tensor plain = input.to(DType::float32).contiguous();
  if (is_linear_op(layer)) return plain.reshape({-1, weight_sizes[1]});
  const Windows w = windows_of(layer, weight_sizes, plain.sizes());
  const std::int64_t channels = weight_sizes[1];
  const std::int64_t all_channels = channels * groups_of(layer);
  const std::int64_t image = numel(w.input);
  const std::int64_t samples = plain.numel() / (all_channels * image);
  const std::int64_t positions = numel(w.output);
  const std::int64_t step = step_over(positions, most);
  const std::int64_t taken = (positions + step - 1) / step;
  const std::int64_t taps = numel(w.kernel);
  Tensor result = Tensor::empty(DType::float32, {samples * taken, channels * taps});
  float* out = result.data<float>();
  Shape at(w.output.size());
  for (std::int64_t sample = 0; sample < samples; ++sample)
    for (std::int64_t position = 0; position < positions; position += step) {
      std::int64_t rest = position;
      for (std::size_t d = at.size(); d-- > 0; rest /= w.output[d]) at[d] = rest % w.output[d];
      const float* from = plain.data<float>() + (sample * all_channels + group * channels) * image;
      for (std::int64_t c = 0; c < channels; ++c, from += image, out += taps) read_window(w, at, from, out);
    }
  return result;
}

Tensor result_rows(const Node& layer, const Tensor& output, std::int64_t group, std::int64_t most) {
  const Tensor plain = output.to(DType::float32).contiguous();
  const std::int64_t dim = channel_dim(layer, plain.dim());
  const std::int64_t all_channels = plain.size(dim);
  if (is_linear_op(layer)) return plain.reshape({-1, all_channels});
  const std::int64_t channels = all_channels / groups_of(layer);
  const std::int64_t positions = numel(std::span(plain.sizes()).subspan(static_cast<std::size_t>(dim) + 1));
  const std::int64_t samples = plain.numel() / (all_channels * positions);
  const std::int64_t step = step_over(positions, most);
  Tensor result = Tensor::empty(DType::float32, {samples * ((positions + step - 1) / step), channels});
  float* out = result.data<float>();
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const float* from = plain.data<float>() + (sample * all_channels + group * channels) * positions;
    for (std::int64_t position = 0; position < positions; position += step)
      for (std::int64_t c = 0; c < channels; ++c) *out++ = from[c * positions + position];
  }
  return result;
}

}  // namespace qdq
