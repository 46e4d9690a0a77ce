#pragma once
#include <memory>

#include "qdq/executor.h"
#include "qdq/program.h"

namespace qdq {

// Products of float32 matrices on the executor that there is. Row-major, any sizes.
class Matmul {
 public:
  explicit Matmul(const ExecutorOptions& options);

  Tensor operator()(const Tensor& a, const Tensor& b);  // a [m, k] times b [k, n]
  Tensor transposed(const Tensor& a, const Tensor& b);  // a [k, m] transposed times b [k, n]

 private:
  Program plain_;
  Program transposed_;
  std::unique_ptr<Executor> run_plain_;
  std::unique_ptr<Executor> run_transposed_;
};

}  // namespace qdq
