#include "runtime/int8/winograd.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "runtime/int8/cut.h"
#include "runtime/int8/geometry.h"
#include "runtime/int8/pixels.h"
#include "runtime/int8/scratch.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kPositions = 16;
constexpr std::int64_t kMostColumns = 64;    // of a kernel
constexpr std::int64_t kLeastChannels = 16;  // with fewer the transforms take longer than the products they save

constexpr std::int64_t kFewestTiles = 32;  // with fewer, reading 32 bytes of weights for 9 takes as long as it saves

// What the kernel reads at once: filters of 8 output channels and 4 input channels.
constexpr std::int64_t kStrip = 8, kQuad = 4, kLanes = kStrip * kQuad;
using Lanes = std::array<std::int16_t, kLanes>;

// 2 G g, where G is (1 0 0 | 1/2 1/2 1/2 | 1/2 -1/2 1/2 | 0 0 1): twice as much, so that all stays whole.
void transform(std::array<Lanes*, 4> to, const Lanes& g0, const Lanes& g1, const Lanes& g2) {
  for (std::size_t i = 0; i < kLanes; ++i) {
    const int outer = g0[i] + g2[i];
    (*to[0])[i] = static_cast<std::int16_t>(2 * g0[i]);
    (*to[1])[i] = static_cast<std::int16_t>(outer + g1[i]);
    (*to[2])[i] = static_cast<std::int16_t>(outer - g1[i]);
    (*to[3])[i] = static_cast<std::int16_t>(2 * g2[i]);
  }
}

// (2 G) g (2 G)^T of filters [3][3], which are within 1152 of 0.
std::array<Lanes, kPositions> transformed(const std::array<Lanes, 9>& g) {
  std::array<Lanes, 12> rows;  // [4][3]
  for (std::size_t x = 0; x < 3; ++x)
    transform({&rows[x], &rows[3 + x], &rows[6 + x], &rows[9 + x]}, g[x], g[3 + x], g[6 + x]);
  std::array<Lanes, kPositions> words;
  for (std::size_t y = 0; y < 4; ++y)
    transform({&words[4 * y], &words[4 * y + 1], &words[4 * y + 2], &words[4 * y + 3]}, rows[3 * y], rows[3 * y + 1],
              rows[3 * y + 2]);
  return words;
}

}  // namespace

bool WinogradWeights::fits(const Kernels& kernels, const Tensor& weight, std::int64_t groups, const Window& window,
                           const Shape& sizes) {
  if (!kernels.winograd || groups != 1 || window.kernel != Shape{3, 3} || window.stride != Shape{1, 1} ||
      window.dilation != Shape{1, 1})
    return false;
  const std::int64_t depth = weight.size(1);
  // The results come out as four times the sums.
  const bool fits_int32 = 4 * 9 * 255 * 128 * depth <= std::numeric_limits<std::int32_t>::max();
  return fits_int32 && depth % kQuad == 0 && depth >= kLeastChannels && weight.size(0) >= kLeastChannels &&
         sizes[0] * divided(sizes[2], 2) * divided(sizes[3], 2) >= kFewestTiles;
}

WinogradWeights::WinogradWeights(const Kernels& kernels, const Tensor& weight)
    : kernels_(kernels), depth_(weight.size(1)) {
  const Tensor plain = weight.contiguous();
  const std::int8_t* filters = plain.data<std::int8_t>();
  for (std::int64_t o = 0; o < weight.size(0); ++o)
    sums_.push_back(std::accumulate(filters + o * depth_ * 9, filters + (o + 1) * depth_ * 9, std::int32_t{0}));
  storage_ =
      Storage::allocate(static_cast<std::size_t>(stretches() * kPositions * matrix_size()) * sizeof(std::int16_t));
  const std::int64_t columns = kernels.winograd->columns;
  for (std::int64_t o = 0; o < channels(); o += kStrip) {
    auto* to =
        reinterpret_cast<std::int16_t*>(storage_->data()) + (o / columns * kPositions * columns + o % columns) * depth_;
    for (std::int64_t k = 0; k < depth_; k += kQuad, to += kLanes) {
      std::array<Lanes, 9> quads = {};
      for (std::int64_t lane = 0; lane < kLanes && o + lane / kQuad < channels(); ++lane) {
        const std::int8_t* filter = filters + ((o + lane / kQuad) * depth_ + k + lane % kQuad) * 9;
        for (std::size_t tap = 0; tap < 9; ++tap) quads[tap][static_cast<std::size_t>(lane)] = filter[tap];
      }
      const std::array<Lanes, kPositions> words = transformed(quads);
      for (std::int64_t p = 0; p < kPositions; ++p)
        std::copy_n(words[static_cast<std::size_t>(p)].data(), kLanes, to + p * matrix_size());
    }
  }
}

std::int64_t WinogradWeights::stretches() const { return divided(channels(), kernels_.winograd->columns); }

const std::int16_t* WinogradWeights::words(std::int64_t stretch, std::int64_t position) const {
  return reinterpret_cast<const std::int16_t*>(storage_->data()) + (stretch * kPositions + position) * matrix_size();
}

namespace {

// The convolution of 4 x 4 taps with stride 2 whose pixels are the tiles of 2 x 2 results.
Geometry tiles_of(const Tensor& src, const Tensor& dst, const Window& window) {
  return {src,
          {dst.size(0), dst.size(1), divided(dst.size(2), 2), divided(dst.size(3), 2)},
          {{4, 4}, {2, 2}, window.padding, {1, 1}}};
}

// A convolution that is bound to its memory.
class Bound {
 public:
  Bound(const Convolution& convolution, std::span<const Tensor> operands)
      : weights_(convolution.winograd),
        kernel_(*weights_->kernels().winograd),
        tiles_(tiles_of(operands[0], operands.back(), convolution.window)),
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
    const auto slots = static_cast<std::size_t>(weights_->stretches() * kernel_.columns);
    rescale_.multiplier.resize(slots);
    rescale_.offset.resize(slots);
    start_.resize(slots);
    // The sum of (byte - zero point) * weight, with the zero point's part in front.
    for (std::int64_t c = 0; c < weights_->channels(); ++c)
      start_[static_cast<std::size_t>(c)] = -convolution.zero_point * weights_->sum(c);
  }

  // Blocks of tiles whose words stay in the second-level cache while stretch after stretch of the weights passes.
  void run() const {
    constexpr std::int64_t kWords = 9216, kFewest = 6, kMost = 48, kTasks = 2;
    const std::int64_t tiles = tiles_.pixels(), stretches = weights_->stretches(), workers = worker_count();
    const std::int64_t most = std::clamp(kWords / weights_->depth() / kFewest * kFewest, kFewest, kMost);
    std::int64_t blocks = divided(tiles, most);
    if (blocks > workers) blocks = divided(blocks, workers) * workers;
    const std::int64_t parts = workers > 1 ? std::min(stretches, divided(workers * kTasks, blocks)) : 1;
    for_each_part({.unit = 1, .blocks = blocks, .parts = parts}, tiles, stretches,
                  [&](std::int64_t first, std::int64_t count, std::int64_t stretch_begin, std::int64_t stretch_end) {
                    run_block(first, count, stretch_begin, stretch_end);
                  });
  }

 private:
  void run_block(std::int64_t first, std::int64_t count, std::int64_t stretch_begin, std::int64_t stretch_end) const {
    static thread_local std::vector<const std::uint8_t*> taps;
    taps.resize(static_cast<std::size_t>(count * kPositions));
    tiles_.find(src_, outside_.data(), first, count, taps.data(), kPositions);
    const std::int64_t depth = weights_->depth(), matrix = count * depth;
    auto* words = scratch<std::int16_t>(kPositions * matrix);
    for (std::int64_t t = 0; t < count; ++t)
      kernel_.transform(words + t * depth, matrix, taps.data() + t * kPositions, depth);
    auto* sums = scratch<std::int32_t>(kPositions * count * kernel_.columns);
    for (std::int64_t stretch = stretch_begin; stretch < stretch_end; ++stretch) {
      const std::int64_t channel = stretch * kernel_.columns;
      const std::int64_t used = std::min(kernel_.columns, weights_->channels() - channel);
      for (std::int64_t p = 0; p < kPositions; ++p)
        kernel_.multiply(sums + p * count * kernel_.columns, words + p * matrix, count, depth,
                         weights_->words(stretch, p), used);
      for (std::int64_t t = 0; t < count; ++t)
        finish(first + t, sums + t * kernel_.columns, count * kernel_.columns, channel, used);
    }
  }

  // The 2 x 2 results of a tile.
  void finish(std::int64_t tile, const std::int32_t* sums, std::int64_t stride, std::int64_t channel,
              std::int64_t used) const {
    const std::int64_t columns = tiles_.row_length(), rows = tiles_.rows();
    const std::int64_t y = 2 * tiles_.row_of(tile), x = 2 * (tile % columns), image = tile / (columns * rows);
    const auto slot = static_cast<std::size_t>(channel);
    WinogradResults results = {};
    results.sums = sums;
    results.stride = stride;
    results.start = start_.data() + slot;
    results.rescale = {rescale_.multiplier.data() + slot, rescale_.offset.data() + slot, rescale_.low, rescale_.high,
                       rescale_.residual_multiplier};
    results.used_columns = used;
    results.to_float = to_float_ || activation_;
    std::array<std::int64_t, 4> offsets = {};
    float values[4][kMostColumns];
    for (std::int64_t i = 0; i < 4; ++i) {
      if (y + i / 2 >= height_ || x + i % 2 >= width_) continue;
      const std::int64_t at = pixels_.offset((image * height_ + y + i / 2) * width_ + x + i % 2) + channel;
      offsets[static_cast<std::size_t>(i)] = at;
      results.out[i] = activation_ ? static_cast<void*>(values[i]) : out_ + at * (to_float_ ? 4 : 1);
      results.residual[i] = residual_ ? residual_ + at : nullptr;
    }
    kernel_.finish(results);
    if (!activation_) return;
    for (std::size_t i = 0; i < 4; ++i)
      if (results.out[i])
        weights_->kernels().activate(reinterpret_cast<std::uint8_t*>(out_) + offsets[i], 0, values[i], 0, 1, used,
                                     *activation_);
  }

  std::shared_ptr<const WinogradWeights> weights_;
  const WinogradKernel& kernel_;
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
  step.operations = 2 * convolution.dst.numel() * 9 * convolution.winograd->depth();  // of which it needs 4 / 9
  step.bind = [convolution](std::span<const Tensor> operands) -> Kernel {
    const auto bound = std::make_shared<const Bound>(convolution, operands);
    return [bound] { bound->run(); };
  };
  return step;
}

}  // namespace qdq::runtime::int8
