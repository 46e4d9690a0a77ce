#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qdq/tensor.h"
#include "runtime/plan.h"
#include "runtime/post_op.h"

// Steps that run on oneDNN. Float32 only. This header names no oneDNN type; the folder's sources do.
namespace qdq::runtime::onednn {

// Weights in oneDNN's preferred order, made once and shared by all plans of an executor.
class WeightCache {
 public:
  WeightCache();
  ~WeightCache();
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// What making a step needs besides its operands.
struct Context {
  WeightCache& weights;
  std::function<bool(const Tensor&)> is_constant;    // the tensor's values are known and never change
  std::function<Tensor(std::size_t bytes)> scratch;  // uint8, planned, for one step
};

struct Convolution {
  Tensor src;                                          // [N, C, spatial...]: 1 to 3 spatial dimensions
  Tensor weight;                                       // [O, C / groups, k...], transposed: [C, O / groups, k...]
  Tensor bias;                                         // [O] or undefined
  Tensor dst;                                          // any strides; channels-last is fast
  Shape stride, padding_begin, padding_end, dilation;  // per spatial dimension
  std::int64_t groups = 1;
  bool transposed = false;
  std::vector<PostOp> post_ops;
};
Step convolution_step(std::string name, const Convolution& convolution, const Context& context);

// dst[M, N] = src[M, K] * weight[N, K]^T + bias[N]
struct Linear {
  Tensor src, weight, bias, dst;
  std::vector<PostOp> post_ops;
};
Step linear_step(std::string name, const Linear& linear, const Context& context);

struct Pooling {
  enum class Kind : std::uint8_t { max, average_include_padding, average_exclude_padding };
  Kind kind = Kind::max;
  Tensor src, dst;  // [N, C, spatial...], equal stride order
  Shape kernel, stride, padding_begin, padding_end, dilation;
};
Step pooling_step(std::string name, const Pooling& pooling, const Context& context);

// c[M, N] = alpha * a[M, K] * b[K, N] + beta * c, one thread. Each matrix has a unit stride in one of its dimensions;
// c along N. Strides in elements.
struct Matrix {
  const float* data;
  std::int64_t row_stride;
  std::int64_t column_stride;
};
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c,
          std::int64_t c_row_stride);

}  // namespace qdq::runtime::onednn
