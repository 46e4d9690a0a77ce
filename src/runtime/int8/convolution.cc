#include "runtime/int8/convolution.h"

#include <algorithm>
#include <cstring>

#include "runtime/int8/geometry.h"
#include "runtime/int8/pixels.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

// Pixels that pass tile after tile of weights together: their taps stay in the first-level cache, or, where the weights do not stay in the
// second-level one, so many that each tile comes from behind it less often.
constexpr std::int64_t kBlockPixels = 96;
constexpr std::int64_t kBlockPixelsOfManyWeights = 384;
constexpr std::int64_t kManyWeights = 1 << 18;
constexpr std::int64_t kFewPixels = 12;  // two calls of a kernel
constexpr std::int64_t kTasks = 4;       // for each worker at least, where there are as many tiles
constexpr std::int64_t kWideRow = 7;     // pixels that are worth calls of their own where they lack taps
constexpr std::int64_t kManyCalls = 8;   // of a kernel, in a block
constexpr std::int64_t kChunk = 32;      // bytes that gathering copies at least, into what the next copy overwrites
constexpr std::int64_t kFew = 8;         // the same for single taps of fewer

// A convolution that is bound to its memory.
class Bound {
 public:
  Bound(const Convolution& convolution, std::span<const Tensor> operands)
      : weights_(convolution.weights),
        geometry_(operands[0], convolution.dst.sizes(), convolution.window),
        src_(operands[0].data<std::uint8_t>()),
        src_end_(reinterpret_cast<const std::uint8_t*>(operands[0].storage()->data() + operands[0].storage()->size())),
        out_(operands.back().raw_data()),
        pixels_(operands.back()),
        activation_(convolution.activation),
        to_float_(operands.back().dtype() == DType::float32),
        residual_(convolution.residual.defined() ? operands[1].data<std::uint8_t>() : nullptr),
        runs_(geometry_.runs(convolution.weights->depth())),
        has_rows_(has_adjacent_rows()),
        outside_(outside_bytes(), convolution.zero_point),
        low_(convolution.rescale.low),
        high_(convolution.rescale.high),
        residual_multiplier_(convolution.rescale.residual_multiplier),
        slides_(slides(convolution.window)) {
    if (weights_->method() == PackedWeights::Method::rows)
      for (std::int64_t t = 0; t < geometry_.taps(); t += geometry_.taps() / weights_->kernel_taps())
        row_offsets_.push_back(geometry_.tap_offset(t));
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
      run_gemm();
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

  // One tap, which serves a whole row of pixels where taps advance with them; or a row of the filter.
  std::size_t outside_bytes() const {
    std::int64_t row = 0;
    if (weights_->method() == PackedWeights::Method::depthwise)
      row = geometry_.row_length() * geometry_.column_step();
    else if (weights_->method() == PackedWeights::Method::rows)
      row = weights_->packed_depth();
    return static_cast<std::size_t>(row + std::max(kFew, weights_->depth() * weights_->groups()));
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
    parallel_for(geometry_.pixels() / length, 1,
                 [&, begin = inside_begin, end = inside_end](std::int64_t first, std::int64_t last) {
                   for (std::int64_t row = first; row < last; ++row) {
                     for (std::int64_t x = 0; x < begin; ++x) run_depthwise_pixels(row * length + x, 1);
                     if (begin < end) run_depthwise_pixels(row * length + begin, end - begin);
                     for (std::int64_t x = std::max(begin, end); x < length; ++x)
                       run_depthwise_pixels(row * length + x, 1);
                   }
                 });
  }

  void run_depthwise_pixels(std::int64_t first, std::int64_t count) const {
    static thread_local std::vector<const std::uint8_t*> taps;
    const std::int64_t width = weights_->quad_taps();
    const std::int64_t quads = divided(geometry_.taps(), width);
    const std::int64_t channels = weights_->channels();
    taps.assign(static_cast<std::size_t>(quads * width), outside_.data());
    geometry_.find(src_, outside_.data(), first, 1, taps.data(), quads * width);
    DepthwiseRun run = {};
    run.taps = taps.data();
    run.step = geometry_.column_step();
    run.pixels = count;
    run.quads = quads;
    run.width = width;
    run.slides = slides_;
    run.channels = channels;
    run.weights = weights_->bytes();
    run.start = start_.data();
    run.rescale = rescale(0);
    run.out = bytes_at(pixels_.offset(first));
    run.out_stride = pixels_.step();
    if (activation_) {
      run.out_stride = static_cast<std::int64_t>(start_.size());
      run.floats = scratch(count * run.out_stride);
    }
    weights_->kernels().depthwise->run(run);
    if (activation_)
      weights_->kernels().activate(run.out, pixels_.step(), run.floats, run.out_stride, count, channels, *activation_);
  }

  // Memory of this thread until the next call.
  static float* scratch(std::int64_t floats) {
    static thread_local std::vector<float> memory;
    if (memory.size() < static_cast<std::size_t>(floats)) memory.resize(static_cast<std::size_t>(floats));
    return memory.data();
  }

  std::uint8_t* bytes_at(std::int64_t element) const { return reinterpret_cast<std::uint8_t*>(out_) + element; }

  void run_gemm() const {
    const std::int64_t pixels = geometry_.pixels();
    if (pixels == 0 || weights_->tiles().empty()) return;
    const auto tiles = static_cast<std::int64_t>(weights_->tiles().size());
    const Cut cut = cut_for(pixels, tiles, worker_count());
    const std::int64_t units = divided(pixels, cut.unit);
    parallel_for(cut.blocks * cut.parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t block = task / cut.parts, part = task % cut.parts;
        const std::int64_t first = units * block / cut.blocks * cut.unit;
        const std::int64_t last = std::min(pixels, units * (block + 1) / cut.blocks * cut.unit);
        run_block(first, last - first, tiles * part / cut.parts, tiles * (part + 1) / cut.parts);
      }
    });
  }

  static std::int64_t divided(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

  // How the work is shared out: as much for every worker, in a few tasks for each.
  struct Cut {
    std::int64_t unit;    // pixels that stay together
    std::int64_t blocks;  // of pixels
    std::int64_t parts;   // of each, along the tiles
  };

  Cut cut_for(std::int64_t pixels, std::int64_t tiles, std::int64_t workers) const {
    const bool has_many = weights_->channels() * weights_->products() > kManyWeights;
    std::int64_t blocks = divided(pixels, has_many ? kBlockPixelsOfManyWeights : kBlockPixels);
    std::int64_t parts = 1;
    if (workers > 1) {
      // Each block reads all weights: those that stay in no cache are not read once more for balance alone.
      if (blocks > workers || (!has_many && pixels >= workers * kFewPixels))
        blocks = divided(blocks, workers) * workers;
      parts = std::min(tiles, divided(workers * kTasks, blocks));
    }
    // Calls with fewer rows than the kernel takes read as many weights; where there are many calls, none has.
    const auto rows = static_cast<std::int64_t>(weights_->tiles().front().kernel->by_rows.size());
    return {divided(pixels, rows) >= kManyCalls * blocks ? rows : 1, blocks, parts};
  }

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
        find_rows(src_ + group * weights_->depth(), rows, first, count);
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

  // Points rows[pixel][kernel tap] to what the kernels multiply.
  void find_rows(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
                 std::int64_t count) const {
    rows.resize(static_cast<std::size_t>(count * weights_->kernel_taps()));
    switch (weights_->method()) {
      case PackedWeights::Method::gathered: return gather(src, rows, first, count);
      case PackedWeights::Method::rows: return find_filter_rows(src, rows, first, count);
      default: geometry_.find(src, outside_.data(), first, count, rows.data(), geometry_.taps());
    }
  }

  // The weights of `next`, which runs after it, are fetched in the meantime: the first rows would wait for them.
  void run_tile(const PackedWeights::Tile& tile, const PackedWeights::Tile& next, const std::uint8_t* const* rows,
                std::int64_t first, const std::vector<Segment>& segments) const {
    const std::int64_t taps = weights_->kernel_taps(), depth = weights_->packed_depth();
    const auto& by_rows = tile.kernel->by_rows;
    const auto most = static_cast<std::int64_t>(by_rows.size());
    GemmTile arguments = {};
    arguments.row_stride = taps;
    arguments.depth = depth;
    arguments.rescale = rescale(tile.slot);
    arguments.out_stride = pixels_.step();
    arguments.used_columns = tile.used;
    arguments.to_float = to_float_;
    if (activation_) {  // floats of one call, still in the first-level cache when they become bytes
      arguments.out_stride = tile.kernel->columns;
      arguments.out = scratch(most * arguments.out_stride);
      arguments.to_float = true;
    }
    const std::int8_t* ahead = weights_->bytes() + next.offset;
    const std::int8_t* ahead_end = ahead + next.kernel->columns * taps * depth;
    for (const Segment& segment : segments) {
      arguments.taps = segment.last_tap - segment.first_tap;
      arguments.weights = weights_->bytes() + tile.offset + segment.first_tap * depth * tile.kernel->columns;
      arguments.start = segment.start + tile.slot;
      const std::int64_t calls = divided(segment.end - segment.begin, most);
      for (std::int64_t call = 0; call < calls; ++call) {
        arguments.ahead = ahead < ahead_end ? ahead : nullptr;
        ahead += arguments.taps * depth * 16;  // what a call fetches
        const std::int64_t begin = segment.begin + (segment.end - segment.begin) * call / calls;
        const std::int64_t end = segment.begin + (segment.end - segment.begin) * (call + 1) / calls;
        const std::int64_t at = pixels_.offset(first + begin) + tile.channel;
        arguments.rows = rows + begin * taps + segment.first_tap;
        arguments.residual = residual_ ? residual_ + at : nullptr;
        if (!activation_) arguments.out = out_ + at * (to_float_ ? 4 : 1);
        by_rows[static_cast<std::size_t>(end - begin - 1)](arguments);
        if (activation_)
          weights_->kernels().activate(bytes_at(at), pixels_.step(), static_cast<const float*>(arguments.out),
                                       arguments.out_stride, end - begin, tile.used, *activation_);
      }
    }
  }

  // `tap` may be null: beyond the input. Few bytes come with what lies behind them, which the next tap overwrites; a call of memcpy
  // would take longer than a handful does.
  void copy_tap(std::uint8_t* to, const std::uint8_t* tap, std::int64_t depth) const {
    const std::uint8_t* from = tap ? tap : outside_.data();
    if (depth <= kFew && (!tap || tap + kFew <= src_end_)) {
      std::memcpy(to, from, kFew);
      return;
    }
    if (depth > kChunk) {
      std::memcpy(to, from, static_cast<std::size_t>(depth));
      return;
    }
    for (std::int64_t k = 0; k < depth; ++k) to[k] = from[k];
  }

  bool has_adjacent_rows() const {
    if (weights_->method() != PackedWeights::Method::rows) return false;
    const std::int64_t columns = geometry_.taps() / weights_->kernel_taps();
    for (std::int64_t t = 0; t < geometry_.taps(); ++t)
      if (geometry_.tap_offset(t) != geometry_.tap_offset(t / columns * columns) + t % columns * weights_->depth())
        return false;
    return true;
  }

  // `bytes` and up to kFew more, which the next copy overwrites.
  static void copy_span(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
    for (std::int64_t k = 0; k < bytes; k += kFew) std::memcpy(to + k, from + k, kFew);
  }

  // The row of the filter at `tap`, of which some columns may lie beyond the input: where it lies, or in `copied`.
  template <typename Address>
  const std::uint8_t* cut_row(const Address& address, std::int64_t tap, std::int64_t columns,
                              std::uint8_t* copied) const {
    const auto column = [&](std::int64_t c) { return address(static_cast<std::size_t>(tap + c)); };
    std::int64_t begin = 0, end = columns;
    while (begin < end && !column(begin)) ++begin;
    if (begin == end) return outside_.data();
    while (!column(end - 1)) --end;
    const std::int64_t depth = weights_->depth(), bytes = (end - begin) * depth;
    const std::uint8_t* from = column(begin);
    if (end - begin == columns && from + weights_->packed_depth() <= src_end_) return from;
    copy_span(copied, outside_.data(), begin * depth);
    if (from + bytes + kFew <= src_end_)
      copy_span(copied + begin * depth, from, bytes);
    else
      std::memcpy(copied + begin * depth, from, static_cast<std::size_t>(bytes));
    copy_span(copied + end * depth, outside_.data(), (columns - end) * depth);
    return copied;
  }

  // Rows of the filter where they lie in the input; those that reach beyond it, or whose padding to a multiple of four would, are
  // copied.
  void find_filter_rows(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
                        std::int64_t count) const {
    static thread_local std::vector<std::uint8_t> copied;
    const std::int64_t kernel_taps = weights_->kernel_taps(), length = weights_->packed_depth(),
                       depth = weights_->depth(), columns = geometry_.taps() / kernel_taps;
    copied.resize(static_cast<std::size_t>(count * kernel_taps * length + kFew));
    const auto copy = [&](std::int64_t pixel, const auto& address) {
      for (std::int64_t r = 0; r < kernel_taps; ++r) {
        std::uint8_t* to = copied.data() + (pixel * kernel_taps + r) * length;
        rows[static_cast<std::size_t>(pixel * kernel_taps + r)] = to;
        for (std::int64_t c = 0; c < columns; ++c, to += depth)
          copy_tap(to, address(static_cast<std::size_t>(r * columns + c)), depth);
      }
    };
    const std::int64_t* offsets = row_offsets_.data();
    const std::int64_t reach = offsets[kernel_taps - 1] + length;
    const std::uint8_t** found = rows.data();
    geometry_.visit(
        src, first, count,
        [&](std::int64_t pixel, const std::uint8_t* start) {
          if (!has_rows_ || start + reach > src_end_)
            return copy(pixel,
                        [&](std::size_t t) { return start + geometry_.tap_offset(static_cast<std::int64_t>(t)); });
          const std::uint8_t** of_pixel = found + pixel * kernel_taps;
          for (std::int64_t r = 0; r < kernel_taps; ++r) of_pixel[r] = start + offsets[r];
        },
        [&](std::int64_t pixel, const auto& address) {
          if (!has_rows_) return copy(pixel, address);
          for (std::int64_t r = 0; r < kernel_taps; ++r)
            found[pixel * kernel_taps + r] =
                cut_row(address, r * columns, columns, copied.data() + (pixel * kernel_taps + r) * length);
        });
  }

  // Copies the taps of each pixel behind each other and points `rows` there. What the packed depth is longer than the taps meets weights
  // of 0.
  void gather(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
              std::int64_t count) const {
    static thread_local std::vector<std::uint8_t> gathered;
    const std::int64_t depth = weights_->depth();
    const std::int64_t length = weights_->packed_depth();
    gathered.resize(static_cast<std::size_t>(count * length + kChunk));
    geometry_.visit(
        src, first, count,
        [&](std::int64_t pixel, const std::uint8_t* start) {
          std::uint8_t* to = gathered.data() + pixel * length;
          const bool has_room = start + runs_.back().first + runs_.back().second + kChunk <= src_end_;
          for (const auto& [offset, bytes] : runs_) {
            if (has_room && bytes <= kChunk)
              std::memcpy(to, start + offset, kChunk);  // a number that the compiler knows
            else
              std::memcpy(to, start + offset, static_cast<std::size_t>(bytes));
            to += bytes;
          }
        },
        [&](std::int64_t pixel, const auto& address) {
          std::uint8_t* to = gathered.data() + pixel * length;
          for (std::int64_t t = 0; t < geometry_.taps(); ++t, to += depth)
            copy_tap(to, address(static_cast<std::size_t>(t)), depth);
        });
    for (std::int64_t pixel = 0; pixel < count; ++pixel)
      rows[static_cast<std::size_t>(pixel)] = gathered.data() + pixel * length;
  }

  std::shared_ptr<const PackedWeights> weights_;
  Geometry geometry_;
  const std::uint8_t* src_;
  const std::uint8_t* src_end_;
  std::byte* out_;
  Pixels pixels_;  // of the result
  std::optional<ActivationRescale> activation_;
  bool to_float_;
  const std::uint8_t* residual_;
  std::vector<std::pair<std::int64_t, std::int64_t>> runs_;
  std::vector<std::int64_t> row_offsets_;  // from the first tap to the first ones of the filter's rows
  bool has_rows_;                          // the taps of a row of the filter lie side by side in the input
  std::vector<std::uint8_t> outside_;
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
