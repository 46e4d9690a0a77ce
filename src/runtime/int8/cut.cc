#include "runtime/int8/cut.h"

namespace qdq::runtime::int8 {
namespace {

// Pixels that pass tile after tile of weights together: their taps stay in the first-level cache, or, where the weights do not stay in the
// second-level one, so many that each tile comes from behind it less often.
constexpr std::int64_t kBlockPixels = 96;
constexpr std::int64_t kBlockPixelsOfManyWeights = 384;
constexpr std::int64_t kManyWeights = 1 << 18;
constexpr std::int64_t kFewPixels = 12;  // two calls of a kernel
constexpr std::int64_t kTasks = 4;       // for each worker at least, where there are as many tiles
constexpr std::int64_t kManyCalls = 8;   // of a kernel, in a block

}  // namespace

Cut cut_for(const PackedWeights& weights, std::int64_t pixels, std::int64_t workers) {
  const auto tiles = static_cast<std::int64_t>(weights.tiles().size());
  const bool has_many = weights.channels() * weights.products() > kManyWeights;
  std::int64_t blocks = divided(pixels, has_many ? kBlockPixelsOfManyWeights : kBlockPixels);
  std::int64_t parts = 1;
  if (workers > 1) {
    // Each block reads all weights: those that stay in no cache are not read once more for balance alone.
    if (blocks > workers || (!has_many && pixels >= workers * kFewPixels)) blocks = divided(blocks, workers) * workers;
    parts = std::min(tiles, divided(workers * kTasks, blocks));
  }
  // Calls with fewer rows than the kernel takes read as many weights; where there are many calls, none has.
  const std::int64_t rows = weights.tiles().front().kernel->rows_together;
  return {divided(pixels, rows) >= kManyCalls * blocks ? rows : 1, blocks, parts};
}

std::int64_t depthwise_parts(const PackedWeights& weights, std::int64_t rows, std::int64_t workers) {
  if (workers <= 1 || rows == 0) return 1;
  return std::min(divided(weights.channels(), weights.kernels().depthwise->block), divided(workers * kTasks, rows));
}

}  // namespace qdq::runtime::int8
