#include "runtime/elementwise.h"

#include <cmath>
#include <limits>

#include "qdq/error.h"
#include "runtime/copy.h"
#include "runtime/iteration.h"
#include "runtime/parallel.h"
#include "tensor/quant_math.h"

namespace qdq::runtime {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements per task: a few microseconds of work, two of them fit the L2 cache
constexpr std::int64_t kBlock = 256;    // elements gathered at a time from strided memory

// Calls row(offsets, n) for runs along the innermost loop, in parallel. Offsets are in elements of each tensor.
template <std::size_t N, typename Row>
void for_each_row(const Loops<N>& loops, const Row& row) {
  const std::size_t inner = loops.rank() - 1;
  const std::int64_t n = loops.sizes[inner];
  if (inner == 0) {
    parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::array<std::int64_t, N> offset;
      for (std::size_t k = 0; k < N; ++k) offset[k] = begin * loops.strides[k][0];
      row(offset, end - begin);
    });
    return;
  }
  std::int64_t rows = 1;
  for (std::size_t d = 0; d < inner; ++d) rows *= loops.sizes[d];
  parallel_for(rows, std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(n, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t index = begin; index < end; ++index) {
                   std::array<std::int64_t, N> offset{};
                   std::int64_t rest = index;
                   for (std::size_t d = inner; d-- > 0;) {
                     const std::int64_t at = rest % loops.sizes[d];
                     rest /= loops.sizes[d];
                     for (std::size_t k = 0; k < N; ++k) offset[k] += at * loops.strides[k][d];
                   }
                   row(offset, n);
                 }
               });
}

template <typename T>
void gather(T* to, const T* from, std::int64_t step, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = from[i * step];
}

// Runs compute(out, a, n) on contiguous memory along a row of any strides.
template <typename Out, typename In, typename Compute>
Step map_step(std::string name, std::string kind, const Tensor& a, const Tensor& out, Compute compute) {
  Step step{std::move(name), std::move(kind), {a}, {out}, nullptr};
  step.bind = [compute](std::span<const Tensor> operands) -> Kernel {
    const auto* from = reinterpret_cast<const In*>(operands[0].raw_data());
    auto* to = reinterpret_cast<Out*>(operands[1].raw_data());
    const auto loops = merge_loops<2>(operands[1].sizes(), {&operands[1].strides(), &operands[0].strides()});
    return [=] {
      const std::int64_t to_step = loops.strides[0].back();
      const std::int64_t from_step = loops.strides[1].back();
      for_each_row(loops, [&](const std::array<std::int64_t, 2>& offset, std::int64_t n) {
        Out* t = to + offset[0];
        const In* f = from + offset[1];
        if (to_step == 1 && from_step == 1) return compute(t, f, n);
        Out out_block[kBlock];
        In in_block[kBlock];
        for (std::int64_t start = 0; start < n; start += kBlock) {
          const std::int64_t count = std::min(kBlock, n - start);
          gather(in_block, f + start * from_step, from_step, count);
          compute(out_block, in_block, count);
          for (std::int64_t i = 0; i < count; ++i) t[(start + i) * to_step] = out_block[i];
        }
      });
    };
  };
  return step;
}

}  // namespace

Step activation_step(std::string name, const Activation& activation, const Tensor& a, const Tensor& out) {
  auto* const activate = kernels().activate;
  return map_step<float, float>(std::move(name), "unary", a, out,
                                [=](float* t, const float* f, std::int64_t n) { activate(activation, t, f, n); });
}

Step unary_step(std::string name, UnaryOp op, const Tensor& a, const Tensor& out) {
  auto* const unary = kernels().unary;
  return map_step<float, float>(std::move(name), "unary", a, out,
                                [=](float* t, const float* f, std::int64_t n) { unary(op, t, f, n); });
}

Step binary_step(std::string name, BinaryOp op, const Tensor& a, const Tensor& b, const Tensor& out, float alpha) {
  Step step{std::move(name), "binary", {a, b}, {out}, nullptr};
  step.bind = [=](std::span<const Tensor> operands) -> Kernel {
    const auto* x = operands[0].data<float>();
    const auto* y = operands[1].data<float>();
    auto* to = operands[2].data<float>();
    const auto loops =
        merge_loops<3>(operands[2].sizes(), {&operands[2].strides(), &operands[0].strides(), &operands[1].strides()});
    auto* const binary = kernels().binary;
    return [=] {
      const std::int64_t to_step = loops.strides[0].back();
      const std::int64_t x_step = loops.strides[1].back();
      const std::int64_t y_step = loops.strides[2].back();
      for_each_row(loops, [&](const std::array<std::int64_t, 3>& offset, std::int64_t n) {
        float* t = to + offset[0];
        const float* p = x + offset[1];
        const float* q = y + offset[2];
        if (to_step == 1 && x_step <= 1 && y_step <= 1) return binary(op, t, p, x_step, q, y_step, n, alpha);
        float out_block[kBlock];
        float x_block[kBlock];
        float y_block[kBlock];
        for (std::int64_t start = 0; start < n; start += kBlock) {
          const std::int64_t count = std::min(kBlock, n - start);
          gather(x_block, p + start * x_step, x_step, count);
          gather(y_block, q + start * y_step, y_step, count);
          binary(op, out_block, x_block, 1, y_block, 1, count, alpha);
          for (std::int64_t i = 0; i < count; ++i) t[(start + i) * to_step] = out_block[i];
        }
      });
    };
  };
  return step;
}

Step copy_step(std::string name, const Tensor& from, const Tensor& to) {
  Step step{std::move(name), "copy", {from}, {to}, nullptr};
  step.bind = [](std::span<const Tensor> operands) -> Kernel {
    return [from = operands[0], to = operands[1]] { copy(from, to); };
  };
  return step;
}

Step fill_step(std::string name, const Tensor& out, double value) {
  const Tensor scalar = Tensor::scalar(value).to(out.dtype());
  return copy_step(std::move(name), broadcast_to(scalar, out.sizes()), out);
}

Step mask_step(std::string name, const Tensor& seen, const Tensor& out) {
  return map_step<float, std::uint8_t>(std::move(name), "mask", seen, out,
                                       [](float* t, const std::uint8_t* f, std::int64_t n) {
                                         for (std::int64_t i = 0; i < n; ++i)
                                           t[i] = f[i] ? 0.0f : -std::numeric_limits<float>::infinity();
                                       });
}

namespace {

// To the nearest integer, ties to even, in what every instruction set adds up many of at a time. Floats from 2^22 on have
// at most halves, and lie beyond all bounds of quantized values.
float nearest_integer(float x) {
  constexpr float kNoFractions = 3 << 22;
  const float rounded = (x + kNoFractions) - kNoFractions;
  return std::abs(x) < 1 << 22 ? rounded : x;
}

void quantize_i16(std::int16_t* to, const float* from, std::int64_t n, float inverse, float zero, float low,
                  float high) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float level = clamp_keeping_nan(nearest_integer(from[i] * inverse) + zero, low, high);
    to[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(level == level ? level : 0.0F));
  }
}

void dequantize_i16(float* to, const std::int16_t* from, std::int64_t n, float scale, float zero) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = dequantize(static_cast<float>(from[i]), scale, zero);
}

}  // namespace

Step quantize_step(std::string name, const Tensor& a, const Tensor& out, const AffineParams& params) {
  const auto inverse = static_cast<float>(1.0 / params.scale);
  const auto low = static_cast<float>(params.quant_min);
  const auto high = static_cast<float>(params.quant_max);
  const std::int32_t zero = params.zero_point;
  if (out.dtype() == DType::int16)
    return map_step<std::int16_t, float>(std::move(name), "quantize", a, out,
                                         [=](std::int16_t* t, const float* f, std::int64_t n) {
                                           quantize_i16(t, f, n, inverse, static_cast<float>(zero), low, high);
                                         });
  if (out.dtype() == DType::uint8)
    return map_step<std::uint8_t, float>(std::move(name), "quantize", a, out,
                                         [=](std::uint8_t* t, const float* f, std::int64_t n) {
                                           kernels().quantize_u8(t, f, n, inverse, zero, low, high);
                                         });
  return map_step<std::int8_t, float>(std::move(name), "quantize", a, out,
                                      [=](std::int8_t* t, const float* f, std::int64_t n) {
                                        kernels().quantize_i8(t, f, n, inverse, zero, low, high);
                                      });
}

Step dequantize_step(std::string name, const Tensor& a, const Tensor& out, const AffineParams& params) {
  const auto scale = static_cast<float>(params.scale);
  const std::int32_t zero = params.zero_point;
  if (a.dtype() == DType::int16)
    return map_step<float, std::int16_t>(std::move(name), "dequantize", a, out,
                                         [=](float* t, const std::int16_t* f, std::int64_t n) {
                                           dequantize_i16(t, f, n, scale, static_cast<float>(zero));
                                         });
  if (a.dtype() == DType::uint8)
    return map_step<float, std::uint8_t>(
        std::move(name), "dequantize", a, out,
        [=](float* t, const std::uint8_t* f, std::int64_t n) { kernels().dequantize_u8(t, f, n, scale, zero); });
  return map_step<float, std::int8_t>(
      std::move(name), "dequantize", a, out,
      [=](float* t, const std::int8_t* f, std::int64_t n) { kernels().dequantize_i8(t, f, n, scale, zero); });
}

Tensor broadcast_to(const Tensor& tensor, const Shape& sizes) {
  if (tensor.sizes() == sizes) return tensor;
  const std::size_t rank = sizes.size();
  const std::size_t own = tensor.sizes().size();
  Shape strides(rank, 0);
  for (std::size_t d = 0; d < own; ++d) {
    const bool fits = own <= rank && (tensor.sizes()[d] == 1 || tensor.sizes()[d] == sizes[rank - own + d]);
    if (!fits)
      throw InvalidArgumentError("sizes " + to_string(tensor.sizes()) + " do not broadcast to " + to_string(sizes));
    strides[rank - own + d] = tensor.sizes()[d] == 1 ? 0 : tensor.strides()[d];
  }
  return tensor.as_strided(sizes, std::move(strides), tensor.storage_offset());
}

}  // namespace qdq::runtime
