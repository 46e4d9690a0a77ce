#include "runtime/int8/winograd.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "runtime/int8/cut.h"
#include "runtime/int8/geometry.h"
#include "runtime/int8/pixels.h"
#include "runtime/int8/scratch.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kTaps = 9;
constexpr std::int64_t kLeastChannels = 16;  // with fewer the transforms take longer than the products they save
constexpr std::int64_t kMostColumns = 16;    // of a kernel

// About how long a block of so many tiles takes, in products for each pair of channels: transforming the filters is as much as 1.2 more tiles.
double cost_of(const WinogradTile& tile, std::int64_t tiles) {
  const auto size = static_cast<double>(tile.results + 2);
  return size * size * (static_cast<double>(tiles) + 1.2);
}

std::int64_t tiles_in(const WinogradTile& tile, const Shape& sizes) {
  return sizes[0] * divided(sizes[2], tile.results) * divided(sizes[3], tile.results);
}

// The best size of tiles for results of these sizes whose sums are within `largest_sum` of 0, or null.
const WinogradTile* tile_for(const WinogradKernel& kernel, const Shape& sizes, std::int64_t largest_sum) {
  const WinogradTile* best = nullptr;
  auto least = static_cast<double>(kTaps * sizes[0] * sizes[2] * sizes[3]);  // without a transform
  for (const WinogradTile& tile : kernel.tiles) {
    const double cost = cost_of(tile, tiles_in(tile, sizes));
    if (cost >= least || tile.factor * largest_sum > std::numeric_limits<std::int32_t>::max()) continue;
    best = &tile;
    least = cost;
  }
  return best;
}

// The sums of a filter's positive and of its negative weights.
std::pair<std::int64_t, std::int64_t> parts_of(const std::int8_t* filter, std::int64_t size) {
  std::int32_t sum = 0, magnitude = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    sum += filter[i];
    magnitude += std::abs(filter[i]);
  }
  return {(magnitude + sum) / 2, (sum - magnitude) / 2};
}

}  // namespace

bool WinogradWeights::fits(const Kernels& kernels, const Tensor& weight, std::int64_t groups, const Window& window,
                           const Shape& sizes) {
  if (!kernels.winograd || groups != 1 || window.kernel != Shape{3, 3} || window.stride != Shape{1, 1} ||
      window.dilation != Shape{1, 1})
    return false;
  const std::int64_t depth = weight.size(1);
  return depth % 4 == 0 && depth >= kLeastChannels && weight.size(0) >= kLeastChannels &&
         tile_for(*kernels.winograd, sizes, 255 * 128 * kTaps * depth);
}

WinogradWeights::WinogradWeights(const Kernels& kernels, const Tensor& weight)
    : kernels_(kernels), depth_(weight.size(1)) {
  const Tensor plain = weight.contiguous();
  const std::int8_t* filters = plain.data<std::int8_t>();
  const std::int64_t size = depth_ * kTaps;
  for (std::int64_t o = 0; o < weight.size(0); ++o) {
    const auto [positive, negative] = parts_of(filters + o * size, size);
    sums_.push_back(static_cast<std::int32_t>(positive + negative));
    largest_sum_ = std::max({largest_sum_, 255 * positive, -255 * negative});
  }
  const std::int64_t columns = kernels.winograd->columns;
  storage_ = Storage::allocate(static_cast<std::size_t>(divided(channels(), columns) * columns * size));
  auto* to = reinterpret_cast<std::int8_t*>(storage_->data());
  for (std::int64_t o = 0; o < channels(); o += columns)
    for (std::int64_t k = 0; k < depth_; k += 2, to += kTaps * columns * 2)
      for (std::int64_t c = 0; c < std::min(columns, channels() - o); ++c)
        for (std::int64_t i = 0; i < 2; ++i) {
          const std::int8_t* filter = filters + ((o + c) * depth_ + k + i) * kTaps;
          for (std::int64_t tap = 0; tap < kTaps; ++tap) to[(tap * columns + c) * 2 + i] = filter[tap];
        }
}

const std::int8_t* WinogradWeights::filters(std::int64_t channel, std::int64_t depth) const {
  return reinterpret_cast<const std::int8_t*>(storage_->data()) +
         (channel * depth_ + kernels_.winograd->columns * depth) * kTaps;
}

namespace {

// The convolution of n x n taps with a stride of m whose pixels are the tiles of m x m results.
Geometry tiles_of(const WinogradTile& tile, const Tensor& src, const Tensor& dst, const Window& window) {
  const std::int64_t m = tile.results;
  return {src,
          {dst.size(0), dst.size(1), divided(dst.size(2), m), divided(dst.size(3), m)},
          {{m + 2, m + 2}, {m, m}, window.padding, {1, 1}}};
}

// A convolution that is bound to its memory.
class Bound {
 public:
  Bound(const Convolution& convolution, std::span<const Tensor> operands)
      : weights_(convolution.winograd),
        tile_(*tile_for(*weights_->kernels().winograd, convolution.dst.sizes(), weights_->largest_sum())),
        columns_(weights_->kernels().winograd->columns),
        size_(tile_.results + 2),
        positions_(size_ * size_),
        tiles_(tiles_of(tile_, operands[0], operands.back(), convolution.window)),
        src_(operands[0].data<std::uint8_t>()),
        outside_(static_cast<std::size_t>(weights_->depth()), convolution.zero_point),
        height_(operands.back().size(2)),
        width_(operands.back().size(3)),
        out_(operands.back().raw_data()),
        pixels_(operands.back()),
        to_float_(operands.back().dtype() == DType::float32),
        residual_(convolution.residual.defined() ? operands[1].data<std::uint8_t>() : nullptr),
        activation_(convolution.activation),
        rescale_(convolution.rescale) {
    const auto slots = static_cast<std::size_t>(divided(weights_->channels(), columns_) * columns_);
    rescale_.multiplier.resize(slots);
    rescale_.offset.resize(slots);
    start_.resize(slots);
    // The sum of (byte - zero point) * weight, with the zero point's part in front.
    for (std::int64_t c = 0; c < weights_->channels(); ++c)
      start_[static_cast<std::size_t>(c)] = -convolution.zero_point * weights_->sum(c);
  }

  // Blocks of tiles whose words stay in the second-level cache while stretch after stretch of the weights passes.
  void run() const {
    const std::int64_t tiles = tiles_.pixels(), workers = worker_count();
    const std::int64_t stretches = divided(weights_->channels(), columns_);
    const std::int64_t most = std::clamp(kBlockWords / (positions_ * weights_->depth()), kFewestTiles, kMostTiles);
    std::int64_t blocks = divided(tiles, most);
    if (blocks > workers) blocks = divided(blocks, workers) * workers;
    const std::int64_t parts = workers > 1 ? std::min(stretches, divided(workers * kTasks, blocks)) : 1;
    for_each_part({.unit = 1, .blocks = blocks, .parts = parts}, tiles, stretches,
                  [&](std::int64_t first, std::int64_t count, std::int64_t begin, std::int64_t end) {
                    run_block(first, count, begin * columns_, std::min(end * columns_, weights_->channels()));
                  });
  }

 private:
  static constexpr std::int64_t kDepth =
      128;  // input channels: a row of transformed filters stays in the first-level cache
  static constexpr std::int64_t kBlockWords = 147456;
  static constexpr std::int64_t kFewestTiles = 16, kMostTiles = 48;  // of a block
  static constexpr std::int64_t kTasks = 2;                          // for each worker

  // Output channels [begin, end) of the tiles [first, first + count).
  void run_block(std::int64_t first, std::int64_t count, std::int64_t begin, std::int64_t end) const {
    static thread_local std::vector<const std::uint8_t*> taps;
    taps.resize(static_cast<std::size_t>(count * positions_));
    tiles_.find(src_, outside_.data(), first, count, taps.data(), positions_);
    const std::int64_t depth = weights_->depth();
    const std::int64_t filter_words = size_ * apart(columns_ * std::min(kDepth, depth));
    auto* filters = scratch<std::int16_t>(filter_words + positions_ * apart(count * depth));
    std::int16_t* words = filters + filter_words;
    for (std::int64_t t = 0; t < count; ++t)
      tile_.transform(words + t * depth, apart(count * depth), taps.data() + t * positions_, depth);
    auto* sums = scratch<std::int32_t>(positions_ * count * columns_);
    for (std::int64_t channel = begin; channel < end; channel += columns_) {
      for (std::int64_t k = 0; k < depth; k += kDepth)
        multiply(sums, words, count, filters, channel, k, std::min(kDepth, depth - k));
      for (std::int64_t t = 0; t < count; ++t)
        finish(first + t, sums + t * columns_, count * columns_, channel, std::min(columns_, end - channel));
    }
  }

  // The distance of matrices of so many words. Those of all positions are written side by side, and lines of memory whose distance is a
  // power of two take the same few places in the first-level cache.
  static constexpr std::int64_t apart(std::int64_t words) {
    constexpr std::int64_t kLine = 32;
    return (divided(words, kLine) | 1) * kLine;
  }

  // What the input channels [k, k + depth) add to the sums [positions][count][columns].
  void multiply(std::int32_t* sums, const std::int16_t* words, std::int64_t count, std::int16_t* filters,
                std::int64_t channel, std::int64_t k, std::int64_t depth) const {
    const std::int64_t matrix = apart(columns_ * depth);
    // What the next call transforms, from far away: a share is fetched with every position.
    constexpr std::int64_t kLine = 64;
    const std::int64_t bytes = kTaps * columns_ * depth;
    const std::int8_t* next = weights_->filters(channel, k) + bytes;
    const std::int64_t lines = std::min<std::int64_t>(bytes, weights_->end() - next) / kLine;
    WinogradProduct product = {};
    product.sums = sums;
    product.words = words + k;
    product.words_stride = weights_->depth();
    product.rows = count;
    product.depth = depth;
    product.adds = k > 0;
    for (std::int64_t row = 0; row < size_; ++row) {
      tile_.transform_filters(filters, matrix, weights_->filters(channel, k), depth / 2, row);
      for (std::int64_t x = 0; x < size_; ++x) {
        // GCC 12 leaves out calls of a function that does nothing but this.
        const std::int64_t position = row * size_ + x;
        for (std::int64_t i = lines * position / positions_; i < lines * (position + 1) / positions_; ++i)
          __builtin_prefetch(next + i * kLine, 0, 2);
        product.weights = filters + x * matrix;
        weights_->kernels().winograd->multiply(product);
        product.sums += count * columns_;
        product.words += apart(count * weights_->depth());
      }
    }
  }

  // The results of a tile.
  void finish(std::int64_t tile, const std::int32_t* sums, std::int64_t stride, std::int64_t channel,
              std::int64_t used) const {
    const std::int64_t m = tile_.results, columns = tiles_.row_length(), rows = tiles_.rows();
    const std::int64_t y = m * tiles_.row_of(tile), x = m * (tile % columns), image = tile / (columns * rows);
    const auto slot = static_cast<std::size_t>(channel);
    std::array<void*, kMostResults> out = {};
    std::array<const std::uint8_t*, kMostResults> residual = {};
    std::array<std::int64_t, kMostResults> offsets = {};
    float values[kMostResults][kMostColumns];
    for (std::int64_t i = 0; i < m * m; ++i) {
      if (y + i / m >= height_ || x + i % m >= width_) continue;
      const auto at = static_cast<std::size_t>(i);
      offsets[at] = pixels_.offset((image * height_ + y + i / m) * width_ + x + i % m) + channel;
      out[at] = activation_ ? static_cast<void*>(values[at]) : out_ + offsets[at] * (to_float_ ? 4 : 1);
      if (residual_) residual[at] = residual_ + offsets[at];
    }
    WinogradResults results = {};
    results.sums = sums;
    results.stride = stride;
    results.start = start_.data() + slot;
    results.rescale = {rescale_.multiplier.data() + slot, rescale_.offset.data() + slot, rescale_.low, rescale_.high,
                       rescale_.residual_multiplier};
    results.out = out.data();
    results.residual = residual_ ? residual.data() : nullptr;
    results.used_columns = used;
    results.to_float = to_float_ || activation_;
    tile_.finish(results);
    if (!activation_) return;
    for (std::size_t i = 0; i < out.size(); ++i)
      if (out[i])
        weights_->kernels().activate(reinterpret_cast<std::uint8_t*>(out_) + offsets[i], 0, values[i], 0, 1, used,
                                     *activation_);
  }

  static constexpr std::size_t kMostResults = 16;  // of a tile

  std::shared_ptr<const WinogradWeights> weights_;
  const WinogradTile& tile_;
  std::int64_t columns_, size_, positions_;
  Geometry tiles_;
  const std::uint8_t* src_;
  std::vector<std::uint8_t> outside_;  // a pixel beyond the input
  std::int64_t height_, width_;        // of the result
  std::byte* out_;
  Pixels pixels_;
  bool to_float_;
  const std::uint8_t* residual_;
  std::optional<ActivationRescale> activation_;
  ChannelRescale rescale_;
  std::vector<std::int32_t> start_;
};

}  // namespace

Step winograd_step(std::string name, const Convolution& convolution) {
  Step step;
  step.name = std::move(name);
  step.kind = "int8:winograd";
  step.reads = {convolution.src};
  if (convolution.residual.defined()) step.reads.push_back(convolution.residual);
  step.writes = {convolution.dst};
  // Of which it needs 4 / 9 or 1 / 4.
  step.operations = 2 * convolution.dst.numel() * kTaps * convolution.winograd->depth();
  step.bind = [convolution](std::span<const Tensor> operands) -> Kernel {
    const auto bound = std::make_shared<const Bound>(convolution, operands);
    return [bound] { bound->run(); };
  };
  return step;
}

}  // namespace qdq::runtime::int8
