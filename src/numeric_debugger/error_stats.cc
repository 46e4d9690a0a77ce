#include <algorithm>
#include <cmath>
#include <limits>

#include "qdq/error.h"
#include "qdq/numeric_debugger.h"

namespace qdq {

void ErrorStats::add(const Tensor& reference, const Tensor& value) {
  if (reference.sizes() != value.sizes())
    throw InvalidArgumentError("cannot compare values of sizes " + to_string(reference.sizes()) + " and " +
                               to_string(value.sizes()));
  const Tensor a = reference.to(DType::float32).contiguous();
  const Tensor b = value.to(DType::float32).contiguous();
  const float* x = a.data<float>();
  const float* y = b.data<float>();
  const std::int64_t n = a.numel();
  for (std::int64_t i = 0; i < n; ++i) {
    const double r = x[i];
    const double v = y[i];
    const double error = r - v;
    max_abs_ = std::max(max_abs_, std::abs(error));
    reference_squared_ += r * r;
    value_squared_ += v * v;
    product_ += r * v;
    error_squared_ += error * error;
    error_ -= error;
  }
  count_ += n;
}

double ErrorStats::mse() const { return count_ == 0 ? 0 : error_squared_ / static_cast<double>(count_); }

double ErrorStats::mean_error() const { return count_ == 0 ? 0 : error_ / static_cast<double>(count_); }

double ErrorStats::sqnr_db() const {
  if (error_squared_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(reference_squared_ / error_squared_);
}

double ErrorStats::cosine() const {
  if (reference_squared_ == 0 && value_squared_ == 0) return 1;
  return product_ / std::sqrt(reference_squared_ * value_squared_);
}

}  // namespace qdq
