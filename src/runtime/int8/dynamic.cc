#include "runtime/int8/dynamic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/parallel.h"
#include "tensor/integer_math.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements per task

struct Range {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
};

Range range_of(const Kernels& kernels, const float* a, std::int64_t n) {
  std::vector<Range> parts(static_cast<std::size_t>((n + kGrain - 1) / kGrain));
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += kGrain) {
      Range& part = parts[static_cast<std::size_t>(at / kGrain)];
      kernels.range(a + at, std::min(kGrain, end - at), &part.low, &part.high);
    }
  });
  Range range;
  for (const Range& part : parts) {
    if (std::isnan(part.low)) return part;
    range = {std::min(range.low, part.low), std::max(range.high, part.high)};
  }
  return range;
}

ChosenQParams choose(const DynamicQuantization& q, const Range& range) {
  return q.symmetric
             ? choose_symmetric_qparams(range.low, range.high, q.quant_min, q.quant_max, q.eps, q.dtype == DType::uint8)
             : choose_affine_qparams(range.low, range.high, q.quant_min, q.quant_max, q.eps);
}

}  // namespace

Step dynamic_quantize_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& bytes,
                           const Tensor& params, const DynamicQuantization& quantization) {
  Step step{std::move(name), "int8:dynamic_quantize", {a}, {bytes, params}, nullptr};
  step.bind = [&kernels, q = quantization](std::span<const Tensor> operands) -> Kernel {
    return [&kernels, q, a = operands[0].data<float>(), n = operands[0].numel(), out = operands[1].data<std::uint8_t>(),
            params = operands[2].data<double>()] {
      const std::int32_t shift = integer::byte_shift(q.dtype);
      const ChosenQParams chosen = choose(q, range_of(kernels, a, n));
      params[0] = chosen.scale;
      params[1] = static_cast<double>(chosen.zero_point + shift);
      if (!std::isfinite(
              chosen.scale)) {  // of a NaN or an infinity: NaN or 0 are computed from it, whatever the bytes are
        std::fill_n(out, n, static_cast<std::uint8_t>(params[1]));
        return;
      }
      parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
        kernels.quantize(out + begin, a + begin, end - begin, 1.0 / chosen.scale, params[1],
                         static_cast<double>(q.quant_min + shift), static_cast<double>(q.quant_max + shift));
      });
    };
  };
  return step;
}

}  // namespace qdq::runtime::int8
