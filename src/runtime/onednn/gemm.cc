#include <oneapi/dnnl/dnnl.h>

#include "qdq/error.h"
#include "runtime/onednn/onednn.h"

namespace qdq::runtime::onednn {

void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c,
          std::int64_t c_row_stride) {
  const auto row_major = [](const Matrix& x) { return x.column_stride == 1; };
  const auto status = dnnl_sgemm(row_major(a) ? 'N' : 'T', row_major(b) ? 'N' : 'T', m, n, k, alpha, a.data,
                                 row_major(a) ? a.row_stride : a.column_stride, b.data,
                                 row_major(b) ? b.row_stride : b.column_stride, beta, c, c_row_stride);
  if (status != dnnl_success) throw InternalError("dnnl_sgemm: status " + std::to_string(status));
}

}  // namespace qdq::runtime::onednn
