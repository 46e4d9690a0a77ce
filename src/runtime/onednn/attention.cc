#include "runtime/onednn/attention.h"

#include <algorithm>
#include <limits>

#include "runtime/kernels/kernels.h"
#include "runtime/onednn/onednn.h"
#include "runtime/parallel.h"

namespace qdq::runtime::onednn {
namespace {

constexpr std::int64_t kRows = 64;  // rows of the result per task

Matrix matrix_at(const Tensor& t, std::int64_t offset) {
  const Shape& s = t.strides();
  return {t.data<float>() + offset, s[s.size() - 2], s[s.size() - 1]};
}

// The offset of matrix number `batch` (row-major over the leading dimensions).
std::int64_t batch_offset(const Tensor& t, std::int64_t batch) {
  std::int64_t offset = 0;
  for (std::size_t d = t.sizes().size() - 2; d-- > 0;) {
    offset += batch % t.sizes()[d] * t.strides()[d];
    batch /= t.sizes()[d];
  }
  return offset;
}

}  // namespace

Step batched_matmul_step(std::string name, const Tensor& a, const Tensor& b, const Tensor& out, float alpha) {
  Step step{std::move(name), "batched_matmul", {a, b}, {out}, nullptr};
  step.calls_onednn = true;
  step.operations = 2 * out.numel() * a.size(-1);
  step.bind = [alpha](std::span<const Tensor> operands) -> Kernel {
    return [a = operands[0], b = operands[1], c = operands[2], alpha] {
      const std::int64_t m = c.size(-2);
      const std::int64_t n = c.size(-1);
      const std::int64_t k = a.size(-1);
      const std::int64_t blocks = (m + kRows - 1) / kRows;
      const std::int64_t batches = m == 0 || n == 0 ? 0 : c.numel() / (m * n);
      parallel_for(batches * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
          const std::int64_t batch = task / blocks;
          const std::int64_t row = task % blocks * kRows;
          Matrix left = matrix_at(a, batch_offset(a, batch));
          left.data += row * left.row_stride;
          const Matrix right = matrix_at(b, batch_offset(b, batch));
          const Matrix result = matrix_at(c, batch_offset(c, batch));
          float* to = c.data<float>() + batch_offset(c, batch) + row * result.row_stride;
          gemm(std::min(kRows, m - row), n, k, alpha, left, right, 0.0f, to, result.row_stride);
        }
      });
    };
  };
  return step;
}

Step attention_step(std::string name, const Attention& attention) {
  const Attention& t = attention;
  const std::int64_t heads = t.query.size(0) * t.query.size(1);
  const std::int64_t blocks = (t.query.size(2) + kRows - 1) / kRows;
  const std::int64_t keys = t.key.size(2);
  Step step{std::move(name), "attention", {t.query, t.key, t.value}, {t.out}, nullptr};
  step.calls_onednn = true;
  if (t.mask.defined()) step.reads.push_back(t.mask);
  step.operations = 2 * (t.query.numel() + t.out.numel()) * keys;
  step.bind = [=, scale = t.scale, causal = t.causal,
               has_mask = t.mask.defined()](std::span<const Tensor> operands) -> Kernel {
    const Tensor q = operands[0];
    const Tensor k = operands[1];
    const Tensor v = operands[2];
    const Tensor mask = has_mask ? operands[3] : Tensor();
    const Tensor out = operands.back();
    return [=] {
      const std::int64_t head_count = q.size(1);
      const std::int64_t queries = q.size(2);
      const std::int64_t per_group = head_count / std::max<std::int64_t>(k.size(1), 1);
      parallel_for(heads * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
        thread_local std::vector<float> scores;  // one block of rows at a time stays in cache
        scores.resize(static_cast<std::size_t>(kRows * keys));
        for (std::int64_t task = begin; task < end; ++task) {
          const std::int64_t batch = task / blocks / head_count;
          const std::int64_t head = task / blocks % head_count;
          const std::int64_t row = task % blocks * kRows;
          const std::int64_t rows = std::min(kRows, queries - row);
          float* s = scores.data();
          const auto start = [&](const Tensor& x, std::int64_t h) {
            return batch * x.strides()[0] + h * x.strides()[1];
          };
          const std::int64_t seen = causal ? std::min(keys, row + rows) : keys;  // keys beyond are masked for all rows
          Matrix query = matrix_at(q, start(q, head) + row * q.strides()[2]);
          Matrix key = matrix_at(k, start(k, head / per_group));
          std::swap(key.row_stride, key.column_stride);  // k^T
          gemm(rows, seen, q.size(3), scale, query, key, 0.0f, s, keys);
          for (std::int64_t r = 0; r < rows; ++r) {
            float* line = s + r * keys;
            if (has_mask) {
              const float* m = mask.data<float>() + start(mask, head) + (row + r) * mask.strides()[2];
              const std::int64_t m_step = mask.strides()[3];
              if (m_step <= 1) {
                kernels().binary(BinaryOp::add, line, line, 1, m, m_step, seen, 1.0f);
              } else {
                for (std::int64_t j = 0; j < seen; ++j) line[j] += m[j * m_step];
              }
            }
            const std::int64_t visible = causal ? std::min(seen, row + r + 1) : seen;
            // A query that sees no key at all gives zeros, as torch does.
            const bool sees_none = has_mask && std::all_of(line, line + visible, [](float x) {
                                     return x == -std::numeric_limits<float>::infinity();
                                   });
            if (sees_none) {
              std::fill_n(line, visible, 0.0f);
            } else {
              kernels().softmax(line, line, visible);
            }
            for (std::int64_t j = visible; j < seen; ++j) line[j] = 0.0f;
          }
          float* to = out.data<float>() + start(out, head) + row * out.strides()[2];
          gemm(rows, v.size(3), seen, 1.0f, {s, keys, 1}, matrix_at(v, start(v, head / per_group)), 0.0f, to,
               out.strides()[2]);
        }
      });
    };
  };
  return step;
}

}  // namespace qdq::runtime::onednn
