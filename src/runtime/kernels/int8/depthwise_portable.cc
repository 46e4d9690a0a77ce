#include "runtime/kernels/int8/portable.h"

namespace qdq::runtime::int8::portable {
namespace {

constexpr std::int64_t kBlock = 16;

void run(const DepthwiseRun& d) {
  const std::int8_t* weights = d.weights;
  for (std::int64_t c = 0; c < d.channels; c += kBlock, weights += 4 * kBlock * d.quads) {
    const std::int64_t used = d.channels - c < kBlock ? d.channels - c : kBlock;
    const Rescale rescale = {d.rescale.multiplier + c, d.rescale.offset + c, d.rescale.low, d.rescale.high, 0.0f};
    for (std::int64_t pixel = 0; pixel < d.pixels; ++pixel) {
      const std::int64_t at = pixel * d.step + c;
      std::int32_t sums[kBlock];
      for (std::int64_t i = 0; i < used; ++i) {
        sums[i] = d.start[c + i];
        for (std::int64_t t = 0; t < d.width * d.quads; ++t)
          sums[i] += d.taps[t][at + i] * weights[4 * (kBlock * (t / d.width) + i) + t % d.width];
      }
      if (d.floats)
        rescale_to_floats(d.floats + pixel * d.out_stride + c, sums, rescale, nullptr, used);
      else
        rescale_to_bytes(d.out + pixel * d.out_stride + c, sums, rescale, nullptr, used);
    }
  }
}

std::int64_t channel(std::int64_t lane) { return lane; }

}  // namespace

const DepthwiseKernel kDepthwise = {kBlock, channel, run};

}  // namespace qdq::runtime::int8::portable
