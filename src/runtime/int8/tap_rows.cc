#include "runtime/int8/tap_rows.h"

#include <cstring>

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kChunk = 32;  // bytes that gathering copies at least, into what the next copy overwrites
constexpr std::int64_t kFew = 8;     // the same for single taps of fewer

// `bytes` and up to kFew more, which the next copy overwrites.
void copy_span(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
  for (std::int64_t k = 0; k < bytes; k += kFew) std::memcpy(to + k, from + k, kFew);
}

}  // namespace

TapRows::TapRows(const Geometry& geometry, const PackedWeights& weights, std::uint8_t zero_point,
                 const std::uint8_t* src_end)
    : geometry_(geometry),
      weights_(weights),
      src_end_(src_end),
      outside_(outside_bytes(), zero_point),
      runs_(geometry.runs(weights.depth())),
      has_rows_(has_adjacent_rows()) {
  if (weights.method() == PackedWeights::Method::rows)
    for (std::int64_t t = 0; t < geometry.taps(); t += geometry.taps() / weights.kernel_taps())
      row_offsets_.push_back(geometry.tap_offset(t));
}

// One tap, which serves a whole row of pixels where taps advance with them; or a row of the filter.
std::size_t TapRows::outside_bytes() const {
  std::int64_t row = 0;
  if (weights_.method() == PackedWeights::Method::depthwise)
    row = geometry_.row_length() * geometry_.column_step();
  else if (weights_.method() == PackedWeights::Method::rows)
    row = weights_.packed_depth();
  return static_cast<std::size_t>(row + std::max(kFew, weights_.depth() * weights_.groups()));
}

bool TapRows::has_adjacent_rows() const {
  if (weights_.method() != PackedWeights::Method::rows) return false;
  const std::int64_t columns = geometry_.taps() / weights_.kernel_taps();
  for (std::int64_t t = 0; t < geometry_.taps(); ++t)
    if (geometry_.tap_offset(t) != geometry_.tap_offset(t / columns * columns) + t % columns * weights_.depth())
      return false;
  return true;
}

void TapRows::find(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
                   std::int64_t count) const {
  rows.resize(static_cast<std::size_t>(count * weights_.kernel_taps()));
  switch (weights_.method()) {
    case PackedWeights::Method::gathered: return gather(src, rows, first, count);
    case PackedWeights::Method::rows: return find_filter_rows(src, rows, first, count);
    default: geometry_.find(src, outside(), first, count, rows.data(), geometry_.taps());
  }
}

// `tap` may be null: beyond the input. Few bytes come with what lies behind them, which the next tap overwrites; a call of memcpy
// would take longer than a handful does.
void TapRows::copy_tap(std::uint8_t* to, const std::uint8_t* tap, std::int64_t depth) const {
  const std::uint8_t* from = tap ? tap : outside();
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

// The row of the filter at `tap`, of which some columns may lie beyond the input: where it lies, or in `copied`.
template <typename Address>
const std::uint8_t* TapRows::cut_row(const Address& address, std::int64_t tap, std::int64_t columns,
                                     std::uint8_t* copied) const {
  const auto column = [&](std::int64_t c) { return address(static_cast<std::size_t>(tap + c)); };
  std::int64_t begin = 0, end = columns;
  while (begin < end && !column(begin)) ++begin;
  if (begin == end) return outside();
  while (!column(end - 1)) --end;
  const std::int64_t depth = weights_.depth(), bytes = (end - begin) * depth;
  const std::uint8_t* from = column(begin);
  if (end - begin == columns && from + weights_.packed_depth() <= src_end_) return from;
  copy_span(copied, outside(), begin * depth);
  if (from + bytes + kFew <= src_end_)
    copy_span(copied + begin * depth, from, bytes);
  else
    std::memcpy(copied + begin * depth, from, static_cast<std::size_t>(bytes));
  copy_span(copied + end * depth, outside(), (columns - end) * depth);
  return copied;
}

// Rows of the filter where they lie in the input; those that reach beyond it, or whose padding to a multiple of four would, are
// copied.
void TapRows::find_filter_rows(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
                               std::int64_t count) const {
  static thread_local std::vector<std::uint8_t> copied;
  const std::int64_t kernel_taps = weights_.kernel_taps(), length = weights_.packed_depth(), depth = weights_.depth(),
                     columns = geometry_.taps() / kernel_taps;
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
          return copy(pixel, [&](std::size_t t) { return start + geometry_.tap_offset(static_cast<std::int64_t>(t)); });
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
void TapRows::gather(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
                     std::int64_t count) const {
  static thread_local std::vector<std::uint8_t> gathered;
  const std::int64_t depth = weights_.depth();
  const std::int64_t length = weights_.packed_depth();
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

}  // namespace qdq::runtime::int8
