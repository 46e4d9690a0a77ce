#include "runtime/int8/rows.h"

#include <algorithm>
#include <vector>

#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"
#include "tensor/quant_math.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements per task

// The operands of a step in the order of their declaration, those that are undefined left out.
class Operands {
 public:
  explicit Operands(std::span<const Tensor> operands) : operands_(operands) {}
  Tensor bound(const Tensor& declared) { return declared.defined() ? operands_[next_++] : Tensor(); }
  Rows bound(const Rows& declared) { return {bound(declared.tensor), declared.params}; }
  RowResults bound(const RowResults& declared) {
    const Tensor values = bound(declared.values);
    return {values, bound(declared.bytes)};
  }

 private:
  std::span<const Tensor> operands_;
  std::size_t next_ = 0;
};

void declare(std::vector<Tensor>& operands, std::initializer_list<Tensor> tensors) {
  for (const Tensor& tensor : tensors)
    if (tensor.defined()) operands.push_back(tensor);
}

float* row_of(const Tensor& rows, std::int64_t row) { return rows.data<float>() + row * rows.size(-1); }

// Calls fn(row, out, in, scratch, n) with float rows; `in` is `scratch` unless it lies in memory.
template <typename Fn>
Kernel row_kernel(const Rows& src, const RowResults& results, Fn fn) {
  return [=, n = src.tensor.size(-1), count = src.tensor.size(0)] {
    parallel_for(count, std::max<std::int64_t>(1, kGrain / n), [&](std::int64_t begin, std::int64_t end) {
      static thread_local std::vector<float> in, out;
      in.resize(static_cast<std::size_t>(n));
      out.resize(static_cast<std::size_t>(n));
      for (std::int64_t row = begin; row < end; ++row) {
        const float* values = in.data();
        if (src.params)
          kernels().dequantize_u8(in.data(), src.tensor.data<std::uint8_t>() + row * n, n,
                                  static_cast<float>(src.params->scale), src.params->zero_point);
        else
          values = row_of(src.tensor, row);
        float* to = results.values.defined() ? row_of(results.values, row) : out.data();
        fn(row, to, values, in.data(), n);
        if (const auto& params = results.bytes.params)
          kernels().quantize_u8(results.bytes.tensor.data<std::uint8_t>() + row * n, to, n,
                                inverse_scale(params->scale), params->zero_point, static_cast<float>(params->quant_min),
                                static_cast<float>(params->quant_max));
      }
    });
  };
}

}  // namespace

Step layer_norm_step(std::string name, const LayerNorm& norm) {
  Step step{std::move(name), norm.addend.defined() ? "int8:add_layer_norm" : "int8:layer_norm", {}, {}, nullptr};
  declare(step.reads, {norm.src.tensor, norm.addend, norm.gamma, norm.beta});
  declare(step.writes, {norm.sum, norm.results.values, norm.results.bytes.tensor});
  step.bind = [norm](std::span<const Tensor> tensors) -> Kernel {
    Operands operands(tensors);
    const Rows src = operands.bound(norm.src);
    const Tensor addend = operands.bound(norm.addend), gamma = operands.bound(norm.gamma),
                 beta = operands.bound(norm.beta), sum = operands.bound(norm.sum);
    const float* g = gamma.defined() ? gamma.data<float>() : nullptr;
    const float* b = beta.defined() ? beta.data<float>() : nullptr;
    return row_kernel(
        src, operands.bound(norm.results),
        [=, eps = norm.eps](std::int64_t row, float* out, const float* in, float* scratch, std::int64_t n) {
          if (addend.defined()) {
            float* to = sum.defined() ? row_of(sum, row) : scratch;
            kernels().binary(BinaryOp::add, to, in, 1, row_of(addend, row), 1, n, 1.0f);
            in = to;
          }
          kernels().layer_norm(out, in, g, b, n, eps);
        });
  };
  return step;
}

Step softmax_step(std::string name, const Rows& src, const RowResults& results) {
  Step step{std::move(name), "int8:softmax", {src.tensor}, {}, nullptr};
  declare(step.writes, {results.values, results.bytes.tensor});
  step.bind = [=](std::span<const Tensor> tensors) -> Kernel {
    Operands operands(tensors);
    const Rows from = operands.bound(src);
    return row_kernel(
        from, operands.bound(results),
        [](std::int64_t, float* out, const float* in, float*, std::int64_t n) { kernels().softmax(out, in, n); });
  };
  return step;
}

}  // namespace qdq::runtime::int8
