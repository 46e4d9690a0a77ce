#include "runtime/int8/pooling.h"

#include "runtime/int8/geometry.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

// Calls fn(addresses of the taps, output pixel) for every pixel; taps beyond the input show `outside` in every channel.
template <typename Fn>
Step pooling_step(std::string name, std::string kind, const Pooling& pooling, std::uint8_t outside, Fn fn) {
  Step step{std::move(name), std::move(kind), {pooling.src}, {pooling.dst}, nullptr};
  step.bind = [window = pooling.window, outside, fn](std::span<const Tensor> operands) -> Kernel {
    const Geometry geometry(operands[0], operands[1].sizes(), window);
    const std::int64_t channels = operands[0].size(1);
    return [=, blank = std::vector<std::uint8_t>(static_cast<std::size_t>(channels), outside),
            src = operands[0].data<std::uint8_t>(), dst = operands[1].data<std::uint8_t>()] {
      const std::int64_t taps = geometry.taps();
      parallel_for(geometry.pixels(), geometry.row_length(), [&](std::int64_t begin, std::int64_t end) {
        static thread_local std::vector<const std::uint8_t*> rows;
        rows.resize(static_cast<std::size_t>((end - begin) * taps));
        geometry.find(src, blank.data(), begin, end - begin, rows.data(), taps);
        for (std::int64_t pixel = begin; pixel < end; ++pixel)
          fn(dst + pixel * channels, rows.data() + (pixel - begin) * taps, taps, channels);
      });
    };
  };
  return step;
}

}  // namespace

Step max_pooling_step(std::string name, const Kernels& kernels, const Pooling& pooling) {
  return pooling_step(std::move(name), "int8:max_pool", pooling, 0,
                      [&kernels](std::uint8_t* out, const std::uint8_t* const* rows, std::int64_t taps,
                                 std::int64_t channels) { kernels.max(out, rows, taps, channels); });
}

Step average_pooling_step(std::string name, const Kernels& kernels, const Pooling& pooling,
                          const AverageRescale& rescale) {
  return pooling_step(std::move(name), "int8:average_pool", pooling, static_cast<std::uint8_t>(rescale.zero_point),
                      [&kernels, rescale](std::uint8_t* out, const std::uint8_t* const* rows, std::int64_t taps,
                                          std::int64_t channels) {
                        kernels.average(out, rows, taps, channels,
                                        static_cast<std::int32_t>(-taps * rescale.zero_point), rescale.multiplier,
                                        rescale.offset, rescale.low, rescale.high);
                      });
}

}  // namespace qdq::runtime::int8
