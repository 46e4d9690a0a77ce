#pragma once
#include <algorithm>
#include <utility>

#include "runtime/int8/weights.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {

// Rounded up.
constexpr std::int64_t divided(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

// How a convolution is shared out: as much for every worker, in a few tasks for each.
struct Cut {
  std::int64_t unit;    // pixels that stay together
  std::int64_t blocks;  // of pixels
  std::int64_t parts;   // of each, along the weights' tiles
};
Cut cut_for(const PackedWeights& weights, std::int64_t pixels, std::int64_t workers);

// Calls fn(first pixel, number of pixels, first tile, end of the tiles) on the workers until every tile has had every pixel.
template <typename Fn>
void for_each_part(const Cut& cut, std::int64_t pixels, std::int64_t tiles, Fn&& fn) {
  const std::int64_t units = divided(pixels, cut.unit);
  parallel_for(cut.blocks * cut.parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t block = task / cut.parts, part = task % cut.parts;
      const std::int64_t first = units * block / cut.blocks * cut.unit;
      const std::int64_t last = std::min(pixels, units * (block + 1) / cut.blocks * cut.unit);
      fn(first, last - first, tiles * part / cut.parts, tiles * (part + 1) / cut.parts);
    }
  });
}

template <typename Fn>
void for_each_part(const PackedWeights& weights, std::int64_t pixels, Fn&& fn) {
  if (pixels == 0 || weights.tiles().empty()) return;
  const auto tiles = static_cast<std::int64_t>(weights.tiles().size());
  for_each_part(cut_for(weights, pixels, worker_count()), pixels, tiles, std::forward<Fn>(fn));
}

// Depthwise: rows of pixels; few of them are cut along their channels, between blocks of the kernel.
std::int64_t depthwise_parts(const PackedWeights& weights, std::int64_t rows, std::int64_t workers);

struct Channels {
  std::int64_t begin, end;
};

// Calls fn(row, channels) on the workers until every row has had every channel.
template <typename Fn>
void for_each_depthwise_part(const PackedWeights& weights, std::int64_t rows, Fn&& fn) {
  const std::int64_t block = weights.kernels().depthwise->block, blocks = divided(weights.channels(), block);
  const std::int64_t parts = depthwise_parts(weights, rows, worker_count());
  parallel_for(rows * parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t part = task % parts;
      fn(task / parts,
         Channels{blocks * part / parts * block, std::min(weights.channels(), blocks * (part + 1) / parts * block)});
    }
  });
}

}  // namespace qdq::runtime::int8
