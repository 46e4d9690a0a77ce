#include "runtime/int8/matmul.h"

#include <algorithm>
#include <limits>

#include "runtime/int8/packed_columns.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kTaskRows = 256;  // rows that share a packed right side
constexpr std::int64_t kScoreRows = 24;  // rows whose scores stay in the first-level cache

// The offset of matrix number `batch`, counted in row-major order over the leading dimensions.
std::int64_t batch_offset(const Tensor& t, std::int64_t batch) {
  std::int64_t offset = 0;
  for (std::size_t d = t.sizes().size() - 2; d-- > 0;) {
    offset += batch % t.sizes()[d] * t.strides()[d];
    batch /= t.sizes()[d];
  }
  return offset;
}

std::int64_t stride(const Tensor& t, std::size_t from_end) { return t.strides()[t.strides().size() - from_end]; }

std::uint8_t* matrix_at(const Tensor& t, std::int64_t batch) { return t.data<std::uint8_t>() + batch_offset(t, batch); }

std::byte* element_at(const Tensor& t, std::int64_t offset) {
  return t.raw_data() + offset * static_cast<std::int64_t>(element_size(t.dtype()));
}

std::int64_t matrices_of(const Tensor& t) { return t.numel() / (t.size(-1) * t.size(-2)); }

// Rows that can be read in whole groups of 4 bytes.
class PaddedRows {
 public:
  void point_to(const std::uint8_t* first, std::int64_t stride, std::int64_t count, std::int64_t depth) {
    const std::int64_t padded = (depth + 3) / 4 * 4;
    pointers_.resize(static_cast<std::size_t>(count));
    if (padded != depth) bytes_.resize(static_cast<std::size_t>(count * padded));
    for (std::int64_t r = 0; r < count; ++r) {
      const std::uint8_t* row = first + r * stride;
      if (padded != depth) {
        row = bytes_.data() + r * padded;
        std::copy_n(first + r * stride, depth, bytes_.data() + r * padded);
      }
      pointers_[static_cast<std::size_t>(r)] = row;
    }
  }
  const std::uint8_t* const* data() const { return pointers_.data(); }

 private:
  std::vector<const std::uint8_t*> pointers_;
  std::vector<std::uint8_t> bytes_;
};

void pack(PackedColumns& packed, const Kernels& kernels, const Tensor& b, std::int64_t batch, std::int32_t zero_point,
          std::int32_t left_zero_point) {
  packed.pack(kernels, matrix_at(b, batch), b.size(-2), b.size(-1), stride(b, 2), stride(b, 1), zero_point,
              left_zero_point);
}

// Calls fn(matrix, first row, number of rows) for stretches of up to kTaskRows rows of every matrix.
template <typename Fn>
void for_each_stretch(std::int64_t matrices, std::int64_t rows, Fn&& fn) {
  const std::int64_t stretches = (rows + kTaskRows - 1) / kTaskRows;
  parallel_for(matrices * stretches, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first = task % stretches * kTaskRows;
      fn(task / stretches, first, std::min(kTaskRows, rows - first));
    }
  });
}

struct AttentionScratch {
  PackedColumns keys, values;
  PaddedRows queries, probabilities;
  std::vector<float> scores, mask;
  std::vector<const float*> mask_rows;
  std::vector<std::uint8_t> bytes;
};

// The mask's rows, where they lie unless their elements have gaps, or null.
const float* const* mask_rows(const Tensor& mask, std::int64_t matrix, std::int64_t first, std::int64_t count,
                              AttentionScratch& scratch) {
  if (!mask.defined()) return nullptr;
  const std::int64_t n = mask.size(-1), step = stride(mask, 1);
  scratch.mask_rows.resize(static_cast<std::size_t>(count));
  if (step != 1) scratch.mask.resize(static_cast<std::size_t>(count * n));
  const float* from = mask.data<float>() + batch_offset(mask, matrix) + first * stride(mask, 2);
  for (std::int64_t r = 0; r < count; ++r, from += stride(mask, 2)) {
    scratch.mask_rows[static_cast<std::size_t>(r)] = from;
    if (step == 1) continue;
    float* copy = scratch.mask.data() + r * n;
    for (std::int64_t i = 0; i < n; ++i) copy[i] = from[i * step];
    scratch.mask_rows[static_cast<std::size_t>(r)] = copy;
  }
  return scratch.mask_rows.data();
}

void attend(const Attention& t, const Kernels& kernels, std::span<const Tensor> operands, std::int64_t matrix,
            std::int64_t first, std::int64_t count) {
  static thread_local AttentionScratch scratch;
  const Tensor& query = operands[0];
  const Tensor mask = t.mask.defined() ? operands[3] : Tensor();
  const Tensor& dst = operands.back();
  const std::int64_t keys = operands[1].size(-1);
  const std::int64_t padded_keys = (keys + 3) / 4 * 4;
  const auto probability_zero = static_cast<std::int32_t>(t.probabilities.zero_point);
  pack(scratch.keys, kernels, operands[1], matrix, t.key.zero_point, t.query.zero_point);
  pack(scratch.values, kernels, operands[2], matrix, t.value.zero_point, probability_zero);
  scratch.scores.resize(static_cast<std::size_t>(kScoreRows * keys));
  scratch.bytes.resize(static_cast<std::size_t>(kScoreRows * padded_keys));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (std::int64_t row = first; row < first + count; row += kScoreRows) {
    const std::int64_t rows = std::min(kScoreRows, first + count - row);
    scratch.queries.point_to(matrix_at(query, matrix) + row * stride(query, 2), stride(query, 2), rows, query.size(-1));
    scratch.keys.multiply(scratch.queries.data(), rows, {t.score_multiplier, 0.0f, -kInfinity, kInfinity},
                          scratch.scores.data(), keys, true);
    kernels.softmax(scratch.bytes.data(), padded_keys, scratch.scores.data(), keys,
                    mask_rows(mask, matrix, row, rows, scratch), rows, keys, t.probabilities);
    scratch.probabilities.point_to(scratch.bytes.data(), padded_keys, rows, padded_keys);
    scratch.values.multiply(scratch.probabilities.data(), rows, t.rescale,
                            element_at(dst, batch_offset(dst, matrix) + row * stride(dst, 2)), stride(dst, 2),
                            dst.dtype() == DType::float32);
  }
}

}  // namespace

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

Step attention_step(std::string name, const Kernels& kernels, const Attention& attention) {
  const Attention& t = attention;
  Step step{std::move(name), "int8:attention", {t.query.bytes, t.key.bytes, t.value.bytes}, {t.dst}, nullptr};
  if (t.mask.defined()) step.reads.push_back(t.mask);
  step.operations = 2 * (t.query.bytes.numel() + t.dst.numel()) * t.key.bytes.size(-1);
  step.bind = [&kernels, t](std::span<const Tensor> operands) -> Kernel {
    return [&kernels, t, bound = std::vector<Tensor>(operands.begin(), operands.end())] {
      const Tensor& dst = bound.back();
      for_each_stretch(matrices_of(dst), dst.size(-2),
                       [&](std::int64_t matrix, std::int64_t first, std::int64_t count) {
                         attend(t, kernels, bound, matrix, first, count);
                       });
    };
  };
  return step;
}

}  // namespace qdq::runtime::int8
