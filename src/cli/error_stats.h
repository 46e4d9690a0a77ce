#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "qdq/tensor.h"

namespace qdq::cli {

// How far values are from their reference, gathered over batches, in double precision.
class ErrorStats {
 public:
  // Any numeric dtypes, the same sizes. Throws InvalidArgumentError when the sizes differ.
  void add(const Tensor& reference, const Tensor& value);

  std::int64_t count() const { return count_; }
  double max_abs() const { return max_abs_; }  // max |reference - value|
  // Signal to quantization noise, 10 log10(sum reference^2 / sum (reference - value)^2), in dB. Infinite without error.
  double sqnr_db() const;
  double cosine() const;  // of the angle between the two as vectors; 1 when both are zero

 private:
  std::int64_t count_ = 0;
  double max_abs_ = 0;
  double reference_squared_ = 0;
  double value_squared_ = 0;
  double product_ = 0;
  double error_squared_ = 0;
};

// How often the largest element along the last dimension stands at the same place: the share of equal decisions of two
// classifiers.
class ArgmaxAgreement {
 public:
  void add(const Tensor& reference, const Tensor& value);
  // Empty when the values had no last dimension of at least 2.
  std::optional<double> share() const;

 private:
  std::int64_t rows_ = 0;
  std::int64_t equal_ = 0;
};

// Position of the first largest element of each row along the last dimension, rows in row-major order.
std::vector<std::int64_t> argmax_rows(const Tensor& value);

}  // namespace qdq::cli
