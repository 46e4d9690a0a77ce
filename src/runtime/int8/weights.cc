#include "runtime/int8/weights.h"

#include <algorithm>
#include <numeric>

namespace qdq::runtime::int8 {

PackedWeights::PackedWeights(const Kernels& kernels, const Tensor& weight, std::int64_t groups)
    : kernels_(kernels),
      groups_(groups),
      taps_(numel(Shape(weight.sizes().begin() + 2, weight.sizes().end()))),
      depth_(weight.size(1)),
      columns_(weight.dim() > 2 ? weight.size(-1) : 1),
      sums_(static_cast<std::size_t>(weight.size(0))) {
  const Tensor plain = weight.contiguous();
  const std::int8_t* filters = plain.data<std::int8_t>();
  add_up(filters);
  if (columns_ == 3) quad_taps_ = 3;
  if (is_depthwise(channels(), groups_, depth_))
    pack_depthwise(filters);
  else
    pack_gemm(filters);
}

// Several input channels side by side, in loops that are long enough for the vectoriser.
void PackedWeights::add_up(const std::int8_t* filters) {
  constexpr std::int64_t kTogether = 16;
  const std::int64_t rows = filter_rows(), length = kTogether * taps_;
  row_sums_.resize(static_cast<std::size_t>(channels() * rows));
  std::vector<std::int32_t> totals(static_cast<std::size_t>(length));
  for (std::int64_t o = 0; o < channels(); ++o, filters += products()) {
    std::fill(totals.begin(), totals.end(), 0);
    for (std::int64_t at = 0; at < products(); at += length) {
      const std::int64_t n = std::min(length, products() - at);
      for (std::int64_t i = 0; i < n; ++i) totals[static_cast<std::size_t>(i)] += filters[at + i];
    }
    for (std::int64_t i = 0; i < length; ++i)
      row_sums_[static_cast<std::size_t>(o * rows + i % taps_ / columns_)] += totals[static_cast<std::size_t>(i)];
    const auto first = row_sums_.begin() + o * rows;
    sums_[static_cast<std::size_t>(o)] = std::accumulate(first, first + rows, std::int32_t{0});
  }
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
  // Where a kernel's depth lies in a filter: it counts the channels of a tap first.
  std::vector<std::int64_t> sources;
  for (std::int64_t tap = 0; tap < taps_; ++tap)
    for (std::int64_t k = 0; k < depth_; ++k) sources.push_back(k * taps_ + tap);
  for (const Tile& tile : tiles_) pack_tile(tile, filters, sources);
}

// A line of the cache at a time.
void PackedWeights::pack_tile(const Tile& tile, const std::int8_t* filters, const std::vector<std::int64_t>& sources) {
  constexpr std::int64_t kLine = 16;  // columns
  const std::int64_t tap_depth = products() / kernel_taps_, columns = tile.kernel->columns;
  auto* packed = reinterpret_cast<std::int8_t*>(storage_->data()) + tile.offset;
  for (std::int64_t column = 0; column < tile.used; column += kLine) {
    const std::int64_t used = std::min(kLine, tile.used - column);
    for (std::int64_t tap = 0; tap < kernel_taps_; ++tap)
      for (std::int64_t k = 0; k < tap_depth; k += 4) {
        std::int8_t* to = packed + ((tap * packed_depth_ + k) / 4 * columns + column) * 4;
        const std::int8_t* from = filters + (tile.channel + column) * products();
        const std::int64_t* source = sources.data() + tap * tap_depth + k;
        const std::int64_t bytes = std::min<std::int64_t>(4, tap_depth - k);
        for (std::int64_t c = 0; c < used; ++c, to += 4, from += products())
          for (std::int64_t i = 0; i < bytes; ++i) to[i] = from[source[i]];
      }
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
