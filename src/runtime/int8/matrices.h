#pragma once
#include <algorithm>
#include <vector>

#include "runtime/int8/packed_columns.h"
#include "runtime/parallel.h"

// What steps on batches of matrices [..., rows, columns] share.
namespace qdq::runtime::int8 {

// The offset of matrix number `batch`, counted in row-major order over the leading dimensions.
inline std::int64_t batch_offset(const Tensor& t, std::int64_t batch) {
  std::int64_t offset = 0;
  for (std::size_t d = t.sizes().size() - 2; d-- > 0;) {
    offset += batch % t.sizes()[d] * t.strides()[d];
    batch /= t.sizes()[d];
  }
  return offset;
}

inline std::int64_t stride(const Tensor& t, std::size_t from_end) { return t.strides()[t.strides().size() - from_end]; }

inline std::uint8_t* matrix_at(const Tensor& t, std::int64_t batch) {
  return t.data<std::uint8_t>() + batch_offset(t, batch);
}

inline std::byte* element_at(const Tensor& t, std::int64_t offset) {
  return t.raw_data() + offset * static_cast<std::int64_t>(element_size(t.dtype()));
}

inline std::int64_t matrices_of(const Tensor& t) { return t.numel() / (t.size(-1) * t.size(-2)); }

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

inline void pack(PackedColumns& packed, const Kernels& kernels, const Tensor& b, std::int64_t batch,
                 std::int32_t zero_point, std::int32_t left_zero_point) {
  packed.pack(kernels, matrix_at(b, batch), b.size(-2), b.size(-1), stride(b, 2), stride(b, 1), zero_point,
              left_zero_point);
}

// Calls fn(matrix, first row, number of rows) for stretches of rows of every matrix, which share a packed right side.
template <typename Fn>
void for_each_stretch(std::int64_t matrices, std::int64_t rows, Fn&& fn) {
  constexpr std::int64_t kRows = 256;
  const std::int64_t stretches = (rows + kRows - 1) / kRows;
  parallel_for(matrices * stretches, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first = task % stretches * kRows;
      fn(task / stretches, first, std::min(kRows, rows - first));
    }
  });
}

}  // namespace qdq::runtime::int8
