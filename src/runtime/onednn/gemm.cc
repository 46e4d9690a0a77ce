#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

#include "qdq/error.h"
#include "runtime/onednn/onednn.h"
#include "runtime/parallel.h"

namespace qdq::runtime::onednn {

namespace {

struct Layout {
  char transposed;
  std::int64_t stride;
};

// A dimension of one element has any stride: it must not pass for the rows that sgemm wants apart.
Layout layout_of(const Matrix& x, std::int64_t rows, std::int64_t columns) {
  const bool row_major = columns == 1 || (x.column_stride == 1 && (rows == 1 || x.row_stride >= columns));
  return row_major ? Layout{'N', std::max(x.row_stride, columns)} : Layout{'T', std::max(x.column_stride, rows)};
}

}  // namespace

void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c,
          std::int64_t c_row_stride) {
  const ThreadScope one(1, nullptr);  // on more of them sgemm adds up in another order
  const Layout left = layout_of(a, m, k), right = layout_of(b, k, n);
  const auto status = dnnl_sgemm(left.transposed, right.transposed, m, n, k, alpha, a.data, left.stride, b.data,
                                 right.stride, beta, c, c_row_stride);
  if (status != dnnl_success) throw InternalError("dnnl_sgemm: status " + std::to_string(status));
}

}  // namespace qdq::runtime::onednn
