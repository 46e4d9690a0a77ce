#include "cli/error_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "qdq/error.h"

namespace qdq::cli {

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
  }
  count_ += n;
}

double ErrorStats::sqnr_db() const {
  if (error_squared_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(reference_squared_ / error_squared_);
}

double ErrorStats::cosine() const {
  if (reference_squared_ == 0 && value_squared_ == 0) return 1;
  return product_ / std::sqrt(reference_squared_ * value_squared_);
}

std::vector<std::int64_t> argmax_rows(const Tensor& value) {
  std::vector<std::int64_t> result;
  if (value.dim() == 0 || value.numel() == 0) return result;
  const Tensor rows = value.to(DType::float32).contiguous();
  const std::int64_t length = rows.size(-1);
  const float* data = rows.data<float>();
  for (const float* row = data; row < data + rows.numel(); row += length)
    result.push_back(std::max_element(row, row + length) - row);
  return result;
}

void ArgmaxAgreement::add(const Tensor& reference, const Tensor& value) {
  if (reference.dim() == 0 || reference.size(-1) < 2) return;
  const std::vector<std::int64_t> a = argmax_rows(reference);
  const std::vector<std::int64_t> b = argmax_rows(value);
  rows_ += static_cast<std::int64_t>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) equal_ += a[i] == b[i] ? 1 : 0;
}

std::optional<double> ArgmaxAgreement::share() const {
  if (rows_ == 0) return std::nullopt;
  return static_cast<double>(equal_) / static_cast<double>(rows_);
}

}  // namespace qdq::cli
