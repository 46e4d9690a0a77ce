#include "runtime/rows.h"

#include <cstring>

#include "qdq/error.h"
#include "runtime/iteration.h"
#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"

namespace qdq::runtime {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements per task

// Calls fn(a, out) with the start of every row along the last dimension.
template <typename Fn>
Kernel row_kernel(const Tensor& a, const Tensor& out, Fn fn) {
  const auto n = a.size(-1);
  const Shape sizes(out.sizes().begin(), out.sizes().end() - 1);
  const Shape out_strides(out.strides().begin(), out.strides().end() - 1);
  const Shape a_strides(a.strides().begin(), a.strides().end() - 1);
  const auto loops = merge_loops<2>(sizes, {&out_strides, &a_strides});
  const std::int64_t rows = numel(sizes);
  const auto* from = a.data<float>();
  auto* to = out.data<float>();
  return [=] {
    parallel_for(rows, std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(n, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t index = begin; index < end; ++index) {
                     std::int64_t rest = index;
                     std::int64_t to_offset = 0;
                     std::int64_t from_offset = 0;
                     for (std::size_t d = loops.rank(); d-- > 0;) {
                       const std::int64_t at = rest % loops.sizes[d];
                       rest /= loops.sizes[d];
                       to_offset += at * loops.strides[0][d];
                       from_offset += at * loops.strides[1][d];
                     }
                     fn(to + to_offset, from + from_offset, n);
                   }
                 });
  };
}

}  // namespace

Step softmax_step(std::string name, const Tensor& a, const Tensor& out, bool log) {
  Step step{std::move(name), log ? "log_softmax" : "softmax", {a}, {out}, nullptr};
  step.bind = [log](std::span<const Tensor> operands) -> Kernel {
    return row_kernel(operands[0], operands[1], log ? kernels().log_softmax : kernels().softmax);
  };
  return step;
}

Step layer_norm_step(std::string name, const Tensor& a, const Tensor& gamma, const Tensor& beta, const Tensor& out,
                     float eps) {
  Step step{std::move(name), "layer_norm", {a}, {out}, nullptr};
  if (gamma.defined()) step.reads.push_back(gamma);
  if (beta.defined()) step.reads.push_back(beta);
  step.bind = [eps, has_gamma = gamma.defined(),
               has_beta = beta.defined()](std::span<const Tensor> operands) -> Kernel {
    const float* g = has_gamma ? operands[1].data<float>() : nullptr;
    const float* b = has_beta ? operands[has_gamma ? 2 : 1].data<float>() : nullptr;
    return row_kernel(operands[0], operands.back(), [=](float* to, const float* from, std::int64_t n) {
      kernels().layer_norm(to, from, g, b, n, eps);
    });
  };
  return step;
}

Step sum_step(std::string name, const Tensor& a, const Tensor& out_expanded, float scale) {
  Step step{std::move(name), "sum", {a}, {out_expanded}, nullptr};
  step.bind = [scale](std::span<const Tensor> operands) -> Kernel {
    const auto* from = operands[0].data<float>();
    auto* to = operands[1].data<float>();
    // a's order decides the loops, so that memory is read once from front to back.
    const auto loops = merge_loops<2>(operands[0].sizes(), {&operands[0].strides(), &operands[1].strides()});
    // One task per index of the outermost loop when it is kept: tasks write different elements.
    const bool split = loops.rank() > 1 && loops.strides[1][0] != 0;
    return [=] {
      const auto& sum = kernels().sum;
      const auto& binary = kernels().binary;
      const std::size_t inner = loops.rank() - 1;
      const std::int64_t n = loops.sizes[inner];
      const std::int64_t a_step = loops.strides[0][inner];
      const std::int64_t out_step = loops.strides[1][inner];
      const auto part = [&](std::int64_t begin, std::int64_t end) {
        Loops<2> mine = loops;
        if (split) mine.sizes[0] = end - begin;
        const float* a0 = from + (split ? begin * loops.strides[0][0] : 0);
        float* out0 = to + (split ? begin * loops.strides[1][0] : 0);
        const auto clear_or_scale = [&](bool clear) {
          Loops<1> outs;  // the kept elements once each
          for (std::size_t d = 0; d < mine.rank(); ++d)
            if (mine.strides[1][d] != 0) {
              outs.sizes.push_back(mine.sizes[d]);
              outs.strides[0].push_back(mine.strides[1][d]);
            }
          for_each_outer(outs, outs.rank(), [&](const std::array<std::int64_t, 1>& at) {
            out0[at[0]] = clear ? 0.0f : out0[at[0]] * scale;
          });
        };
        clear_or_scale(true);
        for_each_outer(mine, inner, [&](const std::array<std::int64_t, 2>& at) {
          const float* row = a0 + at[0];
          float* out = out0 + at[1];
          if (out_step == 0 && a_step == 1) {
            *out += sum(row, n);
          } else if (out_step == 1 && a_step == 1) {
            binary(BinaryOp::add, out, out, 1, row, 1, n, 1.0f);
          } else {
            for (std::int64_t i = 0; i < n; ++i) out[i * out_step] += row[i * a_step];
          }
        });
        if (scale != 1.0f) clear_or_scale(false);
      };
      if (split) {
        parallel_for(loops.sizes[0], 1, part);
      } else {
        part(0, 1);
      }
    };
  };
  return step;
}

namespace {

// Calls fn(row of the table, place in the result) for every index. Throws InvalidArgumentError for one that is no row.
template <typename Fn>
void for_each_index(const std::string& name, const Tensor& index, std::int64_t rows, Fn&& fn) {
  const Tensor indices = index.to(DType::int64).contiguous();
  const auto* at = indices.data<std::int64_t>();
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    if (at[i] < 0 || at[i] >= rows)
      throw InvalidArgumentError("[run] '" + name + "': index " + std::to_string(at[i]) + " into an embedding of " +
                                 std::to_string(rows) + " rows");
    fn(at[i], i);
  }
}

template <typename T>
Kernel quantized_embedding_kernel(const std::string& name, std::span<const Tensor> operands) {
  return [name, table = operands[0], scales = operands[1], zero_points = operands.size() == 5 ? operands[3] : Tensor(),
          index = operands[2], out = operands.back()] {
    const std::int64_t width = table.size(1);
    for_each_index(name, index, table.size(0), [&](std::int64_t row, std::int64_t place) {
      const T* from = table.data<T>() + row * width;
      float* to = out.data<float>() + place * width;
      const float scale = scales.data<float>()[row];
      const float zero_point = zero_points.defined() ? zero_points.data<float>()[row] : 0.0f;
      for (std::int64_t i = 0; i < width; ++i) to[i] = (static_cast<float>(from[i]) - zero_point) * scale;
    });
  };
}

}  // namespace

Step embedding_step(std::string name, const Tensor& table, const Tensor& index, const Tensor& out) {
  Step step{name, "embedding", {table, index}, {out}, nullptr};
  step.bind = [name](std::span<const Tensor> operands) -> Kernel {
    return [table = operands[0], index = operands[1], out = operands[2], name] {
      const std::int64_t width = table.size(1);
      for_each_index(name, index, table.size(0), [&](std::int64_t row, std::int64_t place) {
        std::memcpy(out.data<float>() + place * width, table.data<float>() + row * table.strides()[0],
                    static_cast<std::size_t>(width) * sizeof(float));
      });
    };
  };
  return step;
}

Step quantized_embedding_step(std::string name, const QuantizedTable& table, const Tensor& index, const Tensor& out) {
  Step step{name, "quantized_embedding", {table.values, table.scales, index}, {out}, nullptr};
  if (table.zero_points.defined()) step.reads.push_back(table.zero_points);
  step.bind = [name](std::span<const Tensor> operands) -> Kernel {
    return operands[0].dtype() == DType::int8 ? quantized_embedding_kernel<std::int8_t>(name, operands)
                                              : quantized_embedding_kernel<std::uint8_t>(name, operands);
  };
  return step;
}

}  // namespace qdq::runtime
