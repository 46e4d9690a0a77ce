#include "runtime/int8/convolution.h"

#include <algorithm>
#include <cstring>

#include "runtime/int8/cut.h"
#include "runtime/int8/geometry.h"
#include "runtime/int8/pixels.h"
#include "runtime/int8/scratch.h"
#include "runtime/int8/tap_rows.h"
#include "runtime/int8/winograd.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kWideRow = 7;  // pixels that are worth calls of their own where they lack taps

// A convolution that is bound to its memory.
class Bound {
 public:
  Bound(const Convolution& convolution, std::span<const Tensor> operands)
      : weights_(convolution.weights),
        geometry_(operands[0], convolution.dst.sizes(), convolution.window),
        src_(operands[0].data<std::uint8_t>()),
        tap_rows_(geometry_, *weights_, convolution.zero_point,
                  reinterpret_cast<const std::uint8_t*>(operands[0].storage()->data() + operands[0].storage()->size())),
        out_(operands.back().raw_data()),
        pixels_(operands.back()),
        activation_(convolution.activation),
        to_float_(operands.back().dtype() == DType::float32),
        residual_(convolution.residual.defined() ? operands[1].data<std::uint8_t>() : nullptr),
        low_(convolution.rescale.low),
        high_(convolution.rescale.high),
        residual_multiplier_(convolution.rescale.residual_multiplier),
        slides_(slides(convolution.window)) {
    if (convolution.source_params.defined()) source_params_ = operands[1].data<double>();
    for (const std::int64_t channel : weights_->slot_channels()) {
      const bool used = channel >= 0;
      const auto c = static_cast<std::size_t>(std::max<std::int64_t>(channel, 0));
      // The sum of (byte - zero point) * weight, with the zero point's part in front.
      start_.push_back(used ? -convolution.zero_point * weights_->sum(channel) : 0);
      multiplier_.push_back(used ? convolution.rescale.multiplier[c] : 0.0f);
      offset_.push_back(used ? convolution.rescale.offset[c] : 0.0f);
    }
    if (!source_params_) find_ranges(convolution.zero_point);
  }

  void run() {
    if (source_params_) take_source_params();
    if (weights_->method() == PackedWeights::Method::depthwise)
      run_depthwise();
    else
      for_each_part(*weights_, geometry_.pixels(),
                    [&](std::int64_t first, std::int64_t count, std::int64_t tile_begin, std::int64_t tile_end) {
                      run_block(first, count, tile_begin, tile_end);
                    });
  }

 private:
  // The taps that lie inside the input for some rows of the output. The others are the zero point, which adds nothing: `start` lacks their
  // share of it.
  struct TapRange {
    std::int64_t begin, end;  // kernel taps
    std::vector<std::int32_t> start;
  };

  void find_ranges(std::int32_t zero_point) {
    const bool has_rows_of_taps =
        weights_->method() == PackedWeights::Method::indirect || weights_->method() == PackedWeights::Method::rows;
    if (!has_rows_of_taps || geometry_.row_length() < kWideRow || weights_->taps() == 0) return;
    const std::int64_t filter_rows = weights_->filter_rows();
    const std::int64_t taps_in_row = weights_->kernel_taps() / filter_rows;
    for (std::int64_t row = 0; row < geometry_.rows(); ++row) {
      const auto [first, last] = geometry_.filter_rows_inside(row);
      const std::int64_t begin = first * taps_in_row, end = last * taps_in_row;
      auto range = std::find_if(ranges_.begin(), ranges_.end(),
                                [b = begin, e = end](const TapRange& r) { return r.begin == b && r.end == e; });
      if (range == ranges_.end()) {
        range = ranges_.insert(range, {begin, end, {}});
        for (const std::int64_t channel : weights_->slot_channels())
          range->start.push_back(channel < 0 ? 0 : -zero_point * weights_->sum(channel, first, last));
      }
      range_of_row_.push_back(static_cast<std::size_t>(range - ranges_.begin()));
    }
    if (ranges_.size() == 1 && ranges_[0].end - ranges_[0].begin == weights_->kernel_taps()) ranges_.clear();
  }

  static bool slides(const Window& window) {
    return !window.stride.empty() && window.stride.back() == 1 && window.dilation.back() == 1;
  }

  // The sums and multipliers of this run.
  void take_source_params() {
    const auto scale = static_cast<float>(source_params_[0]);
    const auto zero_point = static_cast<std::int32_t>(source_params_[1]);
    run_multiplier_.resize(multiplier_.size());
    for (std::size_t slot = 0; slot < multiplier_.size(); ++slot) {
      const std::int64_t channel = weights_->slot_channels()[slot];
      start_[slot] = channel < 0 ? 0 : -zero_point * weights_->sum(channel);
      run_multiplier_[slot] = multiplier_[slot] * scale;
    }
  }

  Rescale rescale(std::int64_t slot) const {
    const std::vector<float>& multiplier = source_params_ ? run_multiplier_ : multiplier_;
    return {multiplier.data() + slot, offset_.data() + slot, low_, high_, residual_multiplier_};
  }

  // Row by row: within one, the pixels whose columns all lie inside follow each other at the same distance.
  void run_depthwise() const {
    const std::int64_t length = geometry_.row_length();
    const auto [inside_begin, inside_end] = geometry_.inside_columns();
    for_each_depthwise_part(*weights_, geometry_.pixels() / length,
                            [&, begin = inside_begin, end = inside_end](std::int64_t row, Channels range) {
                              const std::int64_t first = row * length;
                              for (std::int64_t x = 0; x < begin; ++x) run_depthwise_pixels(first + x, 1, range);
                              if (begin < end) run_depthwise_pixels(first + begin, end - begin, range);
                              for (std::int64_t x = std::max(begin, end); x < length; ++x)
                                run_depthwise_pixels(first + x, 1, range);
                            });
  }

  void run_depthwise_pixels(std::int64_t first, std::int64_t count, Channels range) const {
    static thread_local std::vector<const std::uint8_t*> taps;
    const std::int64_t width = weights_->quad_taps();
    const std::int64_t quads = divided(geometry_.taps(), width);
    const std::int64_t channels = range.end - range.begin;
    const std::int64_t at = pixels_.offset(first) + range.begin;
    taps.assign(static_cast<std::size_t>(quads * width), tap_rows_.outside());
    geometry_.find(src_ + range.begin, tap_rows_.outside(), first, 1, taps.data(), quads * width);
    DepthwiseRun run = {};
    run.taps = taps.data();
    run.step = geometry_.column_step();
    run.pixels = count;
    run.quads = quads;
    run.width = width;
    run.slides = slides_;
    run.channels = channels;
    run.weights = weights_->bytes() + range.begin * quads * 4;
    run.start = start_.data() + range.begin;
    run.rescale = rescale(range.begin);
    run.out = bytes_at(at);
    run.out_stride = pixels_.step();
    if (activation_ || to_float_) {  // whole blocks of floats, of which the last may have lanes too many
      run.out_stride = static_cast<std::int64_t>(start_.size());
      run.floats = scratch<float>(count * run.out_stride);
    }
    weights_->kernels().depthwise->run(run);
    if (activation_)
      weights_->kernels().activate(run.out, pixels_.step(), run.floats, run.out_stride, count, channels, *activation_);
    if (to_float_)
      for (std::int64_t pixel = 0; pixel < count; ++pixel)
        std::memcpy(bytes_at(4 * (at + pixel * pixels_.step())), run.floats + pixel * run.out_stride,
                    static_cast<std::size_t>(4 * channels));
  }

  std::uint8_t* bytes_at(std::int64_t offset) const { return reinterpret_cast<std::uint8_t*>(out_) + offset; }

  // Tiles [tile_begin, tile_end) of the pixels [first, first + count).
  void run_block(std::int64_t first, std::int64_t count, std::int64_t tile_begin, std::int64_t tile_end) const {
    static thread_local std::vector<const std::uint8_t*> rows;
    static thread_local std::vector<Segment> segments;
    find_segments(segments, first, count);
    std::int64_t group = -1;
    const std::vector<PackedWeights::Tile>& tiles = weights_->tiles();
    for (std::int64_t t = tile_begin; t < tile_end; ++t) {
      const auto i = static_cast<std::size_t>(t);
      const PackedWeights::Tile& tile = tiles[i];
      if (tile.group != group) {
        group = tile.group;
        tap_rows_.find(src_ + group * weights_->depth(), rows, first, count);
      }
      run_tile(tile, tiles[(i + 1) % tiles.size()], rows.data(), first, segments);
    }
  }

  // Pixels of a block that have the same taps and lie evenly spaced in the result, counted from the block's first one.
  struct Segment {
    std::int64_t begin, end, first_tap, last_tap;
    const std::int32_t* start;
  };

  void find_segments(std::vector<Segment>& segments, std::int64_t first, std::int64_t count) const {
    segments.clear();
    const Segment all = {0, count, 0, weights_->kernel_taps(), start_.data()};
    if (ranges_.empty() && pixels_.are_evenly_spaced()) {
      segments.push_back(all);
      return;
    }
    const std::int64_t length = geometry_.row_length();
    for (std::int64_t pixel = 0; pixel < count;) {
      Segment row = all;
      row.begin = pixel;
      row.end = pixel = std::min(count, ((first + pixel) / length + 1) * length - first);
      if (!ranges_.empty()) {
        const TapRange& range = ranges_[range_of_row_[static_cast<std::size_t>(geometry_.row_of(first + row.begin))]];
        row.first_tap = range.begin;
        row.last_tap = range.end;
        row.start = range.start.data();
      }
      if (!segments.empty() && segments.back().start == row.start && pixels_.are_evenly_spaced())
        segments.back().end = row.end;
      else
        segments.push_back(row);
    }
  }

  // The weights of `next`, which runs after it, are fetched in the meantime: the first rows would wait for them.
  void run_tile(const PackedWeights::Tile& tile, const PackedWeights::Tile& next, const std::uint8_t* const* rows,
                std::int64_t first, const std::vector<Segment>& segments) const {
    const std::int64_t taps = weights_->kernel_taps(), depth = weights_->packed_depth();
    GemmTile arguments = {};
    arguments.row_stride = taps;
    arguments.depth = depth;
    arguments.rescale = rescale(tile.slot);
    arguments.out_stride = pixels_.step();
    arguments.used_columns = tile.used;
    arguments.to_float = to_float_;
    if (activation_) {  // floats of one call, still in the first-level cache when they become bytes
      arguments.out_stride = tile.kernel->columns;
      arguments.out = scratch<float>(tile.kernel->rows * arguments.out_stride);
      arguments.to_float = true;
    }
    const std::int8_t* ahead = weights_->bytes() + next.offset;
    const std::int8_t* ahead_end = ahead + next.kernel->columns * taps * depth;
    for (const Segment& segment : segments) {
      arguments.taps = segment.last_tap - segment.first_tap;
      arguments.weights = weights_->bytes() + tile.offset + segment.first_tap * depth * tile.kernel->columns;
      arguments.start = segment.start + tile.slot;
      for_each_call(*tile.kernel, segment.end - segment.begin, [&](std::int64_t from, std::int64_t count) {
        arguments.ahead = ahead < ahead_end ? ahead : nullptr;
        ahead += arguments.taps * depth * 16 * divided(count, tile.kernel->rows_together);  // what a call fetches
        const std::int64_t begin = segment.begin + from;
        const std::int64_t at = pixels_.offset(first + begin) + tile.channel;
        arguments.rows = rows + begin * taps + segment.first_tap;
        arguments.count = count;
        arguments.residual = residual_ ? residual_ + at : nullptr;
        if (!activation_) arguments.out = out_ + at * (to_float_ ? 4 : 1);
        tile.kernel->run(arguments);
        if (activation_)
          weights_->kernels().activate(bytes_at(at), pixels_.step(), static_cast<const float*>(arguments.out),
                                       arguments.out_stride, count, tile.used, *activation_);
      });
    }
  }

  std::shared_ptr<const PackedWeights> weights_;
  Geometry geometry_;
  const std::uint8_t* src_;
  TapRows tap_rows_;
  std::byte* out_;
  Pixels pixels_;  // of the result
  std::optional<ActivationRescale> activation_;
  bool to_float_;
  const std::uint8_t* residual_;
  float low_, high_, residual_multiplier_;
  bool slides_;  // a pixel's taps are its left neighbour's, one column on
  std::vector<std::int32_t> start_;
  std::vector<TapRange> ranges_;           // none: all pixels have all taps
  std::vector<std::size_t> range_of_row_;  // of the output
  std::vector<float> multiplier_, offset_;
  const double* source_params_ = nullptr;
  std::vector<float> run_multiplier_;  // with the source's scale
};

}  // namespace

Step convolution_step(std::string name, const Convolution& convolution) {
  if (convolution.winograd) return winograd_step(std::move(name), convolution);
  Step step;
  step.name = std::move(name);
  const bool is_depthwise = convolution.weights->method() == PackedWeights::Method::depthwise;
  step.kind = is_depthwise ? "int8:depthwise" : convolution.src.dim() == 2 ? "int8:linear" : "int8:convolution";
  step.reads = {convolution.src};
  for (const Tensor& operand : {convolution.source_params, convolution.residual})
    if (operand.defined()) step.reads.push_back(operand);
  step.writes = {convolution.dst};
  step.operations = 2 * convolution.dst.numel() * convolution.weights->products();
  step.bind = [convolution](std::span<const Tensor> operands) -> Kernel {
    const auto bound = std::make_shared<Bound>(convolution, operands);
    return [bound] { bound->run(); };
  };
  return step;
}

}  // namespace qdq::runtime::int8
