#include "runtime/depthwise.h"

#include <array>
#include <memory>
#include <vector>

#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"

namespace qdq::runtime {
namespace {

constexpr std::int64_t kMaxTaps = 121;  // 11 x 11

struct Geometry {
  std::int64_t channels, height, width, out_height, out_width, kernel_height, kernel_width;
  std::int64_t stride[2], padding[2], dilation[2];
  Shape src_strides, dst_strides;

  explicit Geometry(const Depthwise& d)
      : channels(d.src.size(1)),
        height(d.src.size(2)),
        width(d.src.size(3)),
        out_height(d.dst.size(2)),
        out_width(d.dst.size(3)),
        kernel_height(d.weight.size(2)),
        kernel_width(d.weight.size(3)),
        stride{d.stride[0], d.stride[1]},
        padding{d.padding[0], d.padding[1]},
        dilation{d.dilation[0], d.dilation[1]},
        src_strides(d.src.strides()),
        dst_strides(d.dst.strides()) {}
};

// One row of the output; `weight` is [taps][channels]. Taps that fall into the padding add nothing.
void compute_row(const Geometry& g, const float* src, const float* weight, const float* bias, float* dst,
                 std::int64_t y) {
  std::array<const float*, kMaxTaps> inputs;
  std::array<const float*, kMaxTaps> weights;
  for (std::int64_t x = 0; x < g.out_width; ++x) {
    std::size_t taps = 0;
    for (std::int64_t ky = 0; ky < g.kernel_height; ++ky) {
      const std::int64_t in_y = y * g.stride[0] - g.padding[0] + ky * g.dilation[0];
      if (in_y < 0 || in_y >= g.height) continue;
      for (std::int64_t kx = 0; kx < g.kernel_width; ++kx) {
        const std::int64_t in_x = x * g.stride[1] - g.padding[1] + kx * g.dilation[1];
        if (in_x < 0 || in_x >= g.width) continue;
        inputs[taps] = src + in_y * g.src_strides[2] + in_x * g.src_strides[3];
        weights[taps++] = weight + (ky * g.kernel_width + kx) * g.channels;
      }
    }
    kernels().depthwise(dst + x * g.dst_strides[3], bias, inputs.data(), weights.data(),
                        static_cast<std::int64_t>(taps), g.channels);
  }
}

}  // namespace

bool fits_depthwise(const Tensor& weight) { return weight.size(2) * weight.size(3) <= kMaxTaps; }

Step depthwise_step(std::string name, const Depthwise& depthwise) {
  Step step;
  step.name = std::move(name);
  step.kind = "depthwise";
  step.reads = {depthwise.src, depthwise.weight};
  if (depthwise.bias.defined()) step.reads.push_back(depthwise.bias);
  step.writes = {depthwise.dst};
  const Geometry geometry(depthwise);
  const std::int64_t batch = depthwise.src.size(0);
  step.bind = [geometry, batch](std::span<const Tensor> operands) -> Kernel {
    const float* src = operands[0].data<float>();
    const Tensor& weight = operands[1];
    const float* bias = operands.size() == 4 ? operands[2].data<float>() : nullptr;
    float* dst = operands.back().data<float>();
    // [C, 1, kh, kw] may still be computed in this run, so it is transposed to [kh * kw][C] each time: it is small.
    auto packed = std::make_shared<std::vector<float>>(static_cast<std::size_t>(weight.numel()));
    return [=] {
      const std::int64_t taps = geometry.kernel_height * geometry.kernel_width;
      for (std::int64_t c = 0; c < geometry.channels; ++c)
        for (std::int64_t t = 0; t < taps; ++t)
          (*packed)[static_cast<std::size_t>(t * geometry.channels + c)] =
              weight.data<float>()[c * weight.strides()[0] + t / geometry.kernel_width * weight.strides()[2] +
                                   t % geometry.kernel_width * weight.strides()[3]];
      parallel_for(batch * geometry.out_height, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t n = row / geometry.out_height;
          const std::int64_t y = row % geometry.out_height;
          compute_row(geometry, src + n * geometry.src_strides[0], packed->data(), bias,
                      dst + n * geometry.dst_strides[0] + y * geometry.dst_strides[2], y);
        }
      });
    };
  };
  return step;
}

}  // namespace qdq::runtime
