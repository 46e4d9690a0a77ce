#include "runtime/int8/transposed.h"

#include <algorithm>
#include <numeric>

namespace qdq::runtime::int8 {
namespace {

// One dimension of a phase: output i reads input i - padding + j * dilation with tap taps[j].
struct Line {
  std::vector<std::int64_t> taps;
  std::int64_t padding = 0, dilation = 1;
};

// Tap k takes input (first + i * stride + padding - k * dilation) / stride to output i, where that is a whole number.
Line line_of(std::int64_t first, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
             std::int64_t dilation) {
  Line line;
  for (std::int64_t k = kernel; k-- > 0;)
    if ((first + padding - k * dilation) % stride == 0) line.taps.push_back(k);
  if (line.taps.empty()) return line;
  line.padding = -(first + padding - line.taps.front() * dilation) / stride;
  line.dilation = dilation / std::gcd(dilation, stride);
  return line;
}

// [C, O / groups, k...] to [O, C / groups, the lines' taps...]; one tap of no channels where a line has none.
Tensor weight_of(const Tensor& weight, std::int64_t groups, const std::vector<Line>& lines) {
  const std::int64_t depth = weight.size(0) / groups, channels = weight.size(1);  // of a group
  if (std::any_of(lines.begin(), lines.end(), [](const Line& line) { return line.taps.empty(); })) {
    Shape sizes(lines.size() + 2, 1);
    sizes[0] = channels * groups;
    sizes[1] = 0;
    return Tensor::empty(DType::int8, sizes);
  }
  Shape sizes = {channels * groups, depth};
  std::vector<std::int64_t> taps = {0};  // counted through the whole kernel
  std::int64_t volume = 1;
  for (std::size_t d = 0; d < lines.size(); ++d) {
    const std::int64_t kernel = weight.size(static_cast<std::int64_t>(d) + 2);
    std::vector<std::int64_t> longer;
    for (const std::int64_t tap : taps)
      for (const std::int64_t k : lines[d].taps) longer.push_back(tap * kernel + k);
    taps = std::move(longer);
    volume *= kernel;
    sizes.push_back(static_cast<std::int64_t>(lines[d].taps.size()));
  }
  const Tensor result = Tensor::empty(DType::int8, sizes);
  const Tensor plain = weight.contiguous();
  const auto* from = plain.data<std::int8_t>();
  auto* to = result.data<std::int8_t>();
  for (std::int64_t o = 0; o < channels * groups; ++o)
    for (std::int64_t c = 0; c < depth; ++c)
      for (const std::int64_t tap : taps)
        *to++ = from[((o / channels * depth + c) * channels + o % channels) * volume + tap];
  return result;
}

}  // namespace

std::vector<Phase> phases_of(const Kernels& kernels, const Tensor& weight, std::int64_t groups, const Window& window) {
  const std::size_t rank = window.stride.size();
  std::vector<Phase> phases;
  for (std::int64_t number = 0; number < numel(window.stride); ++number) {
    Phase phase;
    phase.stride = window.stride;
    std::vector<Line> lines(rank);
    for (std::size_t d = rank, rest = static_cast<std::size_t>(number); d-- > 0;) {
      const auto stride = static_cast<std::size_t>(window.stride[d]);
      const auto first = static_cast<std::int64_t>(rest % stride);
      rest /= stride;
      phase.first.insert(phase.first.begin(), first);
      lines[d] = line_of(first, window.kernel[d], window.stride[d], window.padding[d], window.dilation[d]);
    }
    const Tensor taps = weight_of(weight, groups, lines);
    for (std::size_t d = 0; d < rank; ++d) {
      phase.window.kernel.push_back(taps.size(static_cast<std::int64_t>(d) + 2));
      phase.window.stride.push_back(1);
      phase.window.padding.push_back(lines[d].padding);
      phase.window.dilation.push_back(lines[d].dilation);
    }
    phase.weights = std::make_shared<PackedWeights>(kernels, taps, groups);
    phases.push_back(std::move(phase));
  }
  return phases;
}

Convolution part_of(const Convolution& whole, const Phase& phase) {
  Convolution part = whole;
  part.window = phase.window;
  part.weights = phase.weights;
  Shape sizes = whole.dst.sizes(), strides = whole.dst.strides();
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < phase.first.size(); ++d) {
    offset += phase.first[d] * strides[d + 2];
    sizes[d + 2] = std::max<std::int64_t>(0, (sizes[d + 2] - phase.first[d] + phase.stride[d] - 1) / phase.stride[d]);
    strides[d + 2] *= phase.stride[d];
  }
  const auto view = [&](const Tensor& t) { return t.as_strided(sizes, strides, t.storage_offset() + offset); };
  part.dst = view(whole.dst);
  if (whole.residual.defined()) part.residual = view(whole.residual);
  return part;
}

}  // namespace qdq::runtime::int8
