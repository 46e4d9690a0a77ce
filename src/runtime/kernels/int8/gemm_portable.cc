// The tile in plain loops: any processor runs it, and it is what the other sets are compared with.
#include <iterator>

#include "runtime/kernels/int8/portable.h"

namespace qdq::runtime::int8::portable {
namespace {

constexpr std::int64_t kColumns = 16;

template <std::size_t R>
void tile(const GemmTile& t) {
  std::int32_t sums[R][kColumns];
  for (std::size_t r = 0; r < R; ++r)
    for (std::int64_t c = 0; c < kColumns; ++c) sums[r][c] = t.start[c] + (t.row_start ? t.row_start[r] : 0);
  const std::int8_t* weights = t.weights;
  for (std::int64_t tap = 0; tap < t.taps; ++tap)
    for (std::int64_t at = 0; at < t.depth; at += 4, weights += 4 * kColumns)
      for (std::size_t r = 0; r < R; ++r)
        for (std::int64_t c = 0; c < kColumns; ++c)
          for (int i = 0; i < 4; ++i) sums[r][c] += row_pointers(t, r)[tap][at + i] * weights[4 * c + i];
  for (std::size_t r = 0; r < R; ++r) {
    const std::int64_t at = static_cast<std::int64_t>(r) * t.out_stride;
    const std::uint8_t* residual = t.residual ? t.residual + at : nullptr;
    if (t.to_float)
      rescale_to_floats(static_cast<float*>(t.out) + at, sums[r], t.rescale, residual, t.used_columns);
    else
      rescale_to_bytes(static_cast<std::uint8_t*>(t.out) + at, sums[r], t.rescale, residual, t.used_columns);
  }
}

constexpr void (*kByRows[])(const GemmTile&) = {tile<1>, tile<2>, tile<3>, tile<4>};

void run(const GemmTile& t) { kByRows[t.count - 1](t); }

}  // namespace

const GemmKernel kGemm[] = {{kColumns, std::size(kByRows), std::size(kByRows), run}};

}  // namespace qdq::runtime::int8::portable
