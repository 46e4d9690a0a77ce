#include "accuracy/cholesky.h"

#include <array>
#include <cmath>
#include <string>

#include "qdq/error.h"

namespace qdq {

// Eight sums side by side, which compilers turn into vector instructions; always in the same order.
double dot(const double* a, const double* b, std::int64_t n) {
  std::array<double, 8> sums = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::int64_t k = 0; k < 8; ++k) sums[static_cast<std::size_t>(k)] += a[i + k] * b[i + k];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

std::vector<double> cholesky(std::vector<double> a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = a.data() + i * n;
    for (std::int64_t j = 0; j < i; ++j) {
      const double* other = a.data() + j * n;
      row[j] = (row[j] - dot(row, other, j)) / other[j];
    }
    const double square = row[i] - dot(row, row, i);
    if (!(square > 0) || !std::isfinite(square))
      throw InvalidArgumentError("[accuracy] a matrix of inputs is not positive definite in row " + std::to_string(i) +
                                 " of " + std::to_string(n) + ": the values are not finite");
    row[i] = std::sqrt(square);
    for (std::int64_t j = i + 1; j < n; ++j) row[j] = 0;
  }
  return a;
}

}  // namespace qdq
