#pragma once
#include <memory>
#include <numeric>
#include <vector>

#include "qdq/tensor.h"
#include "runtime/kernels/int8/int8_kernels.h"

namespace qdq::runtime::int8 {

// One filter per channel: such kernels add no residual. `depth`: input channels of a group.
constexpr bool is_depthwise(std::int64_t channels, std::int64_t groups, std::int64_t depth) {
  return depth == 1 && groups == channels && groups > 1;
}

// The kernel for the next columns when `left` are left: as wide as possible, but no narrow one should be left for the end.
const GemmKernel& next_kernel(std::span<const GemmKernel> kernels, std::int64_t left);

// fn(first row, number of rows) for the kernel's calls with `rows` rows: as few groups that read the weights as can be, all about as large.
template <typename Fn>
void for_each_call(const GemmKernel& kernel, std::int64_t rows, Fn&& fn) {
  const std::int64_t groups = (rows + kernel.rows_together - 1) / kernel.rows_together;
  const std::int64_t most = kernel.rows / kernel.rows_together, calls = (groups + most - 1) / most;
  for (std::int64_t call = 0; call < calls; ++call) {
    const std::int64_t begin = rows * (groups * call / calls) / groups;
    const std::int64_t end = rows * (groups * (call + 1) / calls) / groups;
    fn(begin, end - begin);
  }
}

// Filters in the order in which the kernels read them, padded with zeros. Made once for all plans of a program.
class PackedWeights {
 public:
  // How the kernels find their operands.
  enum class Method : std::uint8_t {
    indirect,   // tap by tap, where the input lies
    rows,       // row by row of the filter, whose taps lie side by side in the input
    gathered,   // all taps of a pixel are copied behind each other first
    depthwise,  // one filter per channel
  };
  // A stretch of a group's output channels that one kernel computes.
  struct Tile {
    const GemmKernel* kernel;
    std::int64_t group;
    std::int64_t channel;  // the first one
    std::int64_t used;     // how many
    std::int64_t slot;     // of the first column
    std::int64_t offset;   // of its weights in bytes
  };

  // Of int8 weights [O, C / groups, k...].
  PackedWeights(const Kernels& kernels, const Tensor& weight, std::int64_t groups);

  const Kernels& kernels() const { return kernels_; }
  Method method() const { return method_; }
  std::int64_t channels() const { return static_cast<std::int64_t>(sums_.size()); }
  std::int64_t groups() const { return groups_; }
  std::int64_t taps() const { return taps_; }
  std::int64_t depth() const { return depth_; }                // of one tap: C / groups
  std::int64_t kernel_taps() const { return kernel_taps_; }    // what a kernel sees as taps
  std::int64_t packed_depth() const { return packed_depth_; }  // of one of these
  std::int64_t filter_rows() const { return taps_ / columns_; }
  // Depthwise: how many taps of the filter go into one quad. Filters of 3 columns have a row in each.
  std::int64_t quad_taps() const { return quad_taps_; }
  const std::vector<Tile>& tiles() const { return tiles_; }
  const std::int8_t* bytes() const { return reinterpret_cast<const std::int8_t*>(storage_->data()); }
  // The kernels' parameters are vectors of slots: the output channel of each, or -1.
  const std::vector<std::int64_t>& slot_channels() const { return slot_channels_; }
  // The sum of all weights of an output channel.
  std::int32_t sum(std::int64_t channel) const { return sums_[static_cast<std::size_t>(channel)]; }
  // The same over the rows [begin, end) of its filter.
  std::int32_t sum(std::int64_t channel, std::int64_t begin, std::int64_t end) const {
    const auto first = row_sums_.begin() + channel * (taps_ / columns_);
    return std::accumulate(first + begin, first + end, std::int32_t{0});
  }
  // The number of products in one sum.
  std::int64_t products() const { return taps_ * depth_; }

 private:
  // `filters` [O, C / groups, taps].
  void add_up(const std::int8_t* filters);
  void pack_gemm(const std::int8_t* filters);
  void pack_depthwise(const std::int8_t* filters);
  void pack_tile(const Tile& tile, const std::int8_t* filters, const std::vector<std::int64_t>& sources);

  const Kernels& kernels_;
  Method method_ = Method::indirect;
  std::int64_t groups_, taps_, depth_, columns_, kernel_taps_ = 0, packed_depth_ = 0, quad_taps_ = 4;
  std::vector<Tile> tiles_;
  std::vector<std::int64_t> slot_channels_;
  std::vector<std::int32_t> sums_, row_sums_;
  std::shared_ptr<Storage> storage_;
};

}  // namespace qdq::runtime::int8
