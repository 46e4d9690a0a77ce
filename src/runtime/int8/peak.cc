#include <chrono>
#include <limits>
#include <vector>

#include "qdq/executor.h"
#include "qdq/tensor.h"
#include "runtime/kernels/int8/int8_kernels.h"

namespace qdq {

double measure_int8_peak(double seconds) {
  using Clock = std::chrono::steady_clock;
  using namespace runtime::int8;
  constexpr std::int64_t kDepth = 448;  // a tile's weights and rows fill the first-level cache
  constexpr int kTilesPerLook = 200;    // between two looks at the clock
  const GemmKernel& kernel = kernels().gemm.front();
  const auto rows = static_cast<std::size_t>(kernel.rows);
  const auto columns = static_cast<std::size_t>(kernel.columns);
  const auto weights = Storage::allocate(columns * kDepth);
  const std::vector<std::uint8_t> bytes(rows * kDepth, 1);
  std::vector<const std::uint8_t*> pointers;
  for (std::size_t r = 0; r < rows; ++r) pointers.push_back(bytes.data() + r * kDepth);
  const std::vector<std::int32_t> start(columns, 0);
  const std::vector<float> ones(columns, 1.0f);
  std::vector<std::uint8_t> out(rows * columns);
  GemmTile tile = {};
  tile.rows = pointers.data();
  tile.count = kernel.rows;
  tile.row_stride = tile.taps = 1;
  tile.depth = kDepth;
  tile.weights = reinterpret_cast<const std::int8_t*>(weights->data());
  tile.start = start.data();
  tile.rescale = {ones.data(), ones.data(), 0.0f, 255.0f, 0.0f};
  tile.out = out.data();
  tile.out_stride = kernel.columns;
  tile.used_columns = kernel.columns;
  const double operations = 2.0 * kTilesPerLook * kDepth * static_cast<double>(rows * columns);
  double best = std::numeric_limits<double>::infinity();  // of what the machine does besides, the least
  for (const Clock::time_point begin = Clock::now(); Clock::now() - begin < std::chrono::duration<double>(seconds);) {
    const Clock::time_point before = Clock::now();
    for (int i = 0; i < kTilesPerLook; ++i) kernel.run(tile);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - before).count());
  }
  return operations / best;
}

}  // namespace qdq
