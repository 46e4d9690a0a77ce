#include "runtime/int8/matmul.h"

#include "runtime/int8/matrices.h"

namespace qdq::runtime::int8 {

Step matmul_step(std::string name, const Kernels& kernels, const Matmul& matmul) {
  Step step{std::move(name), "int8:matmul", {matmul.a.bytes, matmul.b.bytes}, {matmul.dst}, nullptr};
  step.operations = 2 * matmul.dst.numel() * matmul.a.bytes.size(-1);
  step.bind = [&kernels, matmul](std::span<const Tensor> operands) -> Kernel {
    return [&kernels, matmul, a = operands[0], b = operands[1], dst = operands[2]] {
      for_each_stretch(matrices_of(dst), dst.size(-2),
                       [&](std::int64_t matrix, std::int64_t first, std::int64_t count) {
                         static thread_local PackedColumns packed;
                         static thread_local PaddedRows rows;
                         pack(packed, kernels, b, matrix, matmul.b.zero_point, matmul.a.zero_point);
                         rows.point_to(matrix_at(a, matrix) + first * stride(a, 2), stride(a, 2), count, a.size(-1));
                         packed.multiply(rows.data(), count, matmul.rescale,
                                         element_at(dst, batch_offset(dst, matrix) + first * stride(dst, 2)),
                                         stride(dst, 2), dst.dtype() == DType::float32);
                       });
    };
  };
  return step;
}

}  // namespace qdq::runtime::int8
