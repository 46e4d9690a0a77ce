#include "runtime/int8/elementwise.h"

#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kGrain = 32768;  // elements per task

std::uint8_t* bytes_of(const Tensor& tensor) { return reinterpret_cast<std::uint8_t*>(tensor.raw_data()); }

}  // namespace

Step table_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& out, const Table& table) {
  Step step{std::move(name), "int8:table", {a}, {out}, nullptr};
  step.bind = [&kernels, table](std::span<const Tensor> operands) -> Kernel {
    return [&kernels, table, a = bytes_of(operands[0]), out = bytes_of(operands[1]), n = operands[1].numel()] {
      parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
        kernels.look_up(out + begin, a + begin, end - begin, table.data());
      });
    };
  };
  return step;
}

Step flip_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& out) {
  Step step{std::move(name), "int8:flip", {a}, {out}, nullptr};
  step.bind = [&kernels](std::span<const Tensor> operands) -> Kernel {
    return [&kernels, a = bytes_of(operands[0]), out = bytes_of(operands[1]), n = operands[1].numel()] {
      parallel_for(n, kGrain,
                   [&](std::int64_t begin, std::int64_t end) { kernels.flip(out + begin, a + begin, end - begin); });
    };
  };
  return step;
}

Step interleave_step(std::string name, const Kernels& kernels, const Tensor& planes, const Tensor& pixels) {
  Step step{std::move(name), "copy", {planes}, {pixels}, nullptr};
  const std::int64_t images = planes.size(0), channels = planes.size(1);
  step.bind = [&kernels, images, channels](std::span<const Tensor> operands) -> Kernel {
    return [&kernels, images, channels, from = bytes_of(operands[0]), to = bytes_of(operands[1]),
            size = operands[0].numel() / (images * channels)] {
      const std::int64_t chunk = kGrain / std::min(channels, kGrain);
      const std::int64_t chunks = (size + chunk - 1) / chunk;
      parallel_for(images * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
          const std::int64_t image = task / chunks * channels * size;
          const std::int64_t first = task % chunks * chunk;
          kernels.interleave(to + image + first * channels, from + image + first, size, channels,
                             std::min(chunk, size - first));
        }
      });
    };
  };
  return step;
}

}  // namespace qdq::runtime::int8
