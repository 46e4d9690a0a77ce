#include "runtime/int8/packed_columns.h"

#include "runtime/int8/weights.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int32_t kShift = 128;  // kernels multiply unsigned bytes with signed ones

template <typename T>
void grow(std::vector<T>& values, std::int64_t size) {
  if (values.size() < static_cast<std::size_t>(size)) values.resize(static_cast<std::size_t>(size));
}

}  // namespace

void PackedColumns::pack(const Kernels& kernels, const std::uint8_t* b, std::int64_t depth, std::int64_t columns,
                         std::int64_t depth_stride, std::int64_t column_stride, std::int32_t zero_point,
                         std::int32_t left_zero_point) {
  kernels_ = &kernels;
  depth_ = depth;
  packed_depth_ = (depth + 3) / 4 * 4;
  zero_point_ = zero_point - kShift;
  tiles_.clear();
  std::int64_t slots = 0;
  for (std::int64_t column = 0; column < columns;) {
    const GemmKernel& kernel = next_kernel(kernels.gemm, columns - column);
    tiles_.push_back({&kernel, column, std::min(kernel.columns, columns - column), slots});
    slots += kernel.columns;
    column += kernel.columns;
  }
  const auto bytes = static_cast<std::size_t>(slots * packed_depth_);
  if (!weights_ || weights_->size() < bytes) weights_ = Storage::allocate(bytes);
  start_.assign(static_cast<std::size_t>(slots), 0);
  for (const Tile& tile : tiles_) {
    std::int32_t* start = start_.data() + tile.slot;
    kernels.pack(weights_at(tile), start, b + tile.column * column_stride, depth, depth_stride, tile.used,
                 column_stride, tile.kernel->columns);
    // sum of (a - a_zero) * (b - b_zero) without the part of the row, which multiply() adds.
    for (std::int64_t c = 0; c < tile.used; ++c)
      start[c] = static_cast<std::int32_t>(depth) * left_zero_point * zero_point_ - left_zero_point * start[c];
  }
}

std::int8_t* PackedColumns::weights_at(const Tile& tile) const {
  return reinterpret_cast<std::int8_t*>(weights_->data()) + tile.slot * packed_depth_;
}

void PackedColumns::multiply(const std::uint8_t* const* rows, std::int64_t count, const TensorRescale& rescale,
                             void* out, std::int64_t out_stride, bool to_float) {
  constexpr std::int64_t kWidest = 64;
  multiplier_.assign(kWidest, rescale.multiplier);
  offset_.assign(kWidest, rescale.offset);
  GemmTile call = {};
  call.row_stride = call.taps = 1;
  call.depth = packed_depth_;
  call.rescale = {multiplier_.data(), offset_.data(), rescale.low, rescale.high, 0.0f};
  call.out_stride = out_stride;
  call.to_float = to_float;
  if (zero_point_ != 0) {
    grow(row_start_, count);
    for (std::int64_t r = 0; r < count; ++r)
      row_start_[static_cast<std::size_t>(r)] = -zero_point_ * kernels_->sum(rows[r], depth_);
  }
  for (const Tile& tile : tiles_) {
    call.weights = weights_at(tile);
    call.start = start_.data() + tile.slot;
    call.used_columns = tile.used;
    for_each_call(*tile.kernel, count, [&](std::int64_t begin, std::int64_t number) {
      call.rows = rows + begin;
      call.count = number;
      call.row_start = zero_point_ != 0 ? row_start_.data() + begin : nullptr;
      call.out = static_cast<std::byte*>(out) + (begin * out_stride + tile.column) * (to_float ? 4 : 1);
      tile.kernel->run(call);
    });
  }
}

}  // namespace qdq::runtime::int8
