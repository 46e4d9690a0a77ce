#include "runtime/int8/weights.h"

#include <array>
#include <numeric>

namespace qdq::runtime::int8 {

Filters filters_of(const Tensor& weight, std::int64_t groups) {
  const std::int64_t channels = weight.size(0), depth = weight.size(1);
  const std::int64_t taps = numel(Shape(weight.sizes().begin() + 2, weight.sizes().end()));
  const Tensor plain = weight.contiguous();
  const Tensor view = plain.as_strided({channels, taps, depth}, {depth * taps, 1, taps}, plain.storage_offset());
  return {view.contiguous(), groups, weight.dim() > 2 ? weight.size(-1) : 1};
}

PackedWeights::PackedWeights(const Kernels& kernels, const Filters& filters)
    : kernels_(kernels),
      groups_(filters.groups),
      taps_(filters.values.size(1)),
      depth_(filters.values.size(2)),
      columns_(filters.columns) {
  const std::int8_t* values = filters.values.data<std::int8_t>();
  const std::int64_t rows = taps_ / columns_, row = columns_ * depth_;
  for (std::int64_t o = 0; o < filters.values.size(0); ++o) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int8_t* first = values + o * products() + r * row;
      row_sums_.push_back(std::accumulate(first, first + row, std::int32_t{0}));
    }
    sums_.push_back(std::accumulate(row_sums_.end() - rows, row_sums_.end(), std::int32_t{0}));
  }
  if (filters.columns == 3) quad_taps_ = 3;
  if (is_depthwise(channels(), groups_, depth_))
    pack_depthwise(values);
  else
    pack_gemm(values);
}

namespace {

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

const GemmKernel& next_kernel(std::span<const GemmKernel> kernels, std::int64_t left) {
  const std::int64_t unit = kernels.back().columns;
  const std::int64_t wanted = rounded_up(left, unit);
  for (const GemmKernel& kernel : kernels) {
    const std::int64_t rest = wanted - kernel.columns;
    if (rest == 0 || (rest > 0 && (rest != unit || kernels.size() == 1 || kernel.columns == unit))) return kernel;
  }
  return kernels.back();
}

void PackedWeights::pack_gemm(const std::int8_t* filters) {
  const std::int64_t row = columns_ * depth_;
  const bool pads_little = rounded_up(row, 4) * 3 <= row * 4;
  if (depth_ % 4 == 0)
    method_ = Method::indirect;
  else
    method_ = groups_ == 1 && columns_ > 1 && pads_little ? Method::rows : Method::gathered;
  kernel_taps_ = method_ == Method::indirect ? taps_ : method_ == Method::rows ? taps_ / columns_ : 1;
  const std::int64_t tap_depth = products() / kernel_taps_;
  packed_depth_ = rounded_up(tap_depth, 4);
  const std::int64_t group_channels = channels() / groups_;
  std::int64_t bytes = 0;
  std::int64_t slots = 0;
  for (std::int64_t group = 0; group < groups_; ++group)
    for (std::int64_t column = 0; column < group_channels;) {
      const GemmKernel& kernel = next_kernel(kernels_.gemm, group_channels - column);
      const std::int64_t used = std::min(kernel.columns, group_channels - column);
      tiles_.push_back({&kernel, group, group * group_channels + column, used, slots, bytes});
      for (std::int64_t c = 0; c < kernel.columns; ++c)
        slot_channels_.push_back(c < used ? group * group_channels + column + c : -1);
      slots += kernel.columns;
      bytes += kernel.columns * kernel_taps_ * packed_depth_;
      column += used;
    }
  storage_ = Storage::allocate(static_cast<std::size_t>(bytes));
  auto* packed = reinterpret_cast<std::int8_t*>(storage_->data());
  for (const Tile& tile : tiles_) {
    const std::int64_t columns = tile.kernel->columns;
    for (std::int64_t c = 0; c < tile.used; ++c)
      for (std::int64_t tap = 0; tap < kernel_taps_; ++tap)
        for (std::int64_t k = 0; k < tap_depth; ++k)
          packed[tile.offset + (tap * packed_depth_ / 4 + k / 4) * columns * 4 + c * 4 + k % 4] =
              filters[(tile.channel + c) * products() + tap * tap_depth + k];
  }
}

void PackedWeights::pack_depthwise(const std::int8_t* filters) {
  method_ = Method::depthwise;
  const DepthwiseKernel& kernel = *kernels_.depthwise;
  const std::int64_t quads = rounded_up(taps_, quad_taps_) / quad_taps_;
  packed_depth_ = 1;
  const std::int64_t slots = rounded_up(channels(), kernel.block);
  storage_ = Storage::allocate(static_cast<std::size_t>(slots * quads * 4));
  auto* packed = reinterpret_cast<std::int8_t*>(storage_->data());
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    const std::int64_t block = slot / kernel.block;
    const std::int64_t lane = slot % kernel.block;
    const std::int64_t channel = block * kernel.block + kernel.channel(lane);
    slot_channels_.push_back(channel < channels() ? channel : -1);
    if (channel >= channels()) continue;
    for (std::int64_t tap = 0; tap < taps_; ++tap)
      packed[(block * quads + tap / quad_taps_) * kernel.block * 4 + lane * 4 + tap % quad_taps_] =
          filters[channel * taps_ + tap];
  }
}

}  // namespace qdq::runtime::int8
