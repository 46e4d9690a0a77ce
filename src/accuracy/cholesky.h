#pragma once
#include <cstdint>
#include <vector>

namespace qdq {

// A symmetric positive definite matrix A [n, n], row-major, as A = L L^T; L is lower triangular, its upper part 0.
// Throws InvalidArgumentError for a matrix that is not positive definite.
std::vector<double> cholesky(std::vector<double> a, std::int64_t n);

// The sum of a[i] * b[i].
double dot(const double* a, const double* b, std::int64_t n);

}  // namespace qdq
