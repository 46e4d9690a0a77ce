#pragma once
#include <memory>
#include <vector>

#include "runtime/int8/matmul.h"

namespace qdq::runtime::int8 {

// The right side [K, N] of a product as the kernels read it, packed anew in each run.
class PackedColumns {
 public:
  // b: `depth` rows of `columns` bytes, with strides; what a product's left side has as zero point is folded into the sums.
  void pack(const Kernels& kernels, const std::uint8_t* b, std::int64_t depth, std::int64_t columns,
            std::int64_t depth_stride, std::int64_t column_stride, std::int32_t zero_point,
            std::int32_t left_zero_point);

  // The product of `count` rows, each readable for packed_depth() bytes, into out[count][columns].
  void multiply(const std::uint8_t* const* rows, std::int64_t count, const TensorRescale& rescale, void* out,
                std::int64_t out_stride, bool to_float);

  std::int64_t packed_depth() const { return packed_depth_; }

 private:
  struct Tile {
    const GemmKernel* kernel;
    std::int64_t column, used;
    std::int64_t slot;  // of the first column
  };
  std::int8_t* weights_at(const Tile& tile) const;

  const Kernels* kernels_ = nullptr;
  std::int64_t depth_ = 0, packed_depth_ = 0;
  std::int32_t zero_point_ = 0;
  std::vector<Tile> tiles_;
  std::shared_ptr<Storage> weights_;
  std::vector<std::int32_t> start_;  // by slot
  std::vector<std::int32_t> row_start_;
  std::vector<float> multiplier_, offset_;
};

}  // namespace qdq::runtime::int8
