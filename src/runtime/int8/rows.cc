#include "runtime/int8/rows.h"

#include <algorithm>
#include <vector>

#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"
#include "tensor/quant_math.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements per task

// Calls fn(out, in, n) with float rows.
template <typename Fn>
Kernel row_kernel(const Rows& src, const Rows& dst, const Tensor& from, const Tensor& to, Fn fn) {
  return [=, n = from.size(-1), count = from.size(0)] {
    parallel_for(count, std::max<std::int64_t>(1, kGrain / n), [&](std::int64_t begin, std::int64_t end) {
      static thread_local std::vector<float> in, out;
      in.resize(static_cast<std::size_t>(n));
      out.resize(static_cast<std::size_t>(n));
      for (std::int64_t row = begin; row < end; ++row) {
        const float* values = in.data();
        if (src.params)
          kernels().dequantize_u8(in.data(), from.data<std::uint8_t>() + row * n, n,
                                  static_cast<float>(src.params->scale), src.params->zero_point);
        else
          values = from.data<float>() + row * n;
        float* results = dst.params ? out.data() : to.data<float>() + row * n;
        fn(results, values, n);
        if (dst.params)
          kernels().quantize_u8(to.data<std::uint8_t>() + row * n, results, n, inverse_scale(dst.params->scale),
                                dst.params->zero_point, static_cast<float>(dst.params->quant_min),
                                static_cast<float>(dst.params->quant_max));
      }
    });
  };
}

}  // namespace

Step layer_norm_step(std::string name, const Rows& src, const Tensor& gamma, const Tensor& beta, const Rows& dst,
                     float eps) {
  Step step{std::move(name), "int8:layer_norm", {src.tensor}, {dst.tensor}, nullptr};
  for (const Tensor& operand : {gamma, beta})
    if (operand.defined()) step.reads.push_back(operand);
  step.bind = [=, has_gamma = gamma.defined(), has_beta = beta.defined()](std::span<const Tensor> operands) -> Kernel {
    const float* g = has_gamma ? operands[1].data<float>() : nullptr;
    const float* b = has_beta ? operands[has_gamma ? 2 : 1].data<float>() : nullptr;
    return row_kernel(src, dst, operands[0], operands.back(), [=](float* out, const float* in, std::int64_t n) {
      kernels().layer_norm(out, in, g, b, n, eps);
    });
  };
  return step;
}

Step softmax_step(std::string name, const Rows& src, const Rows& dst) {
  Step step{std::move(name), "int8:softmax", {src.tensor}, {dst.tensor}, nullptr};
  step.bind = [=](std::span<const Tensor> operands) -> Kernel {
    return row_kernel(src, dst, operands[0], operands[1], kernels().softmax);
  };
  return step;
}

}  // namespace qdq::runtime::int8
