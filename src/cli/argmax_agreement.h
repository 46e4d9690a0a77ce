#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "qdq/tensor.h"

namespace qdq::cli {

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
