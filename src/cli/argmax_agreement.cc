#include "cli/argmax_agreement.h"

#include <algorithm>

namespace qdq::cli {

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
