#pragma once
#include <string>
#include <vector>

#include "qdq/accuracy.h"
#include "qdq/program.h"

namespace qdq {

// Two layers where each output channel of the first becomes the input channel of the same number of the second, with
// nothing between them but ops that let a positive factor through:
//
//     conv -> relu -> max_pool2d -> conv
struct LayerPair {
  Node* first;
  Node* second;
  Node* relu;   // between them; null for none
  Node* relu6;  // a hardtanh from 0 to a number between them, which no factor gets through; null for none
};

// The pairs of a float program, in graph order; layers that are in none, with the reason, in `skipped`. Weights and biases
// are read by their layer alone.
std::vector<LayerPair> layer_pairs(Program& program, std::vector<SkippedLayer>& skipped);

// The weight of a layer by channels.
//   first:   calls fn(output channel, element)    second:   calls fn(input channel, element)
template <typename Fn>
void for_each_output_channel(const Shape& sizes, Fn&& fn) {
  const std::int64_t inner = sizes[0] == 0 ? 0 : numel(sizes) / sizes[0];
  for (std::int64_t i = 0; i < sizes[0] * inner; ++i) fn(static_cast<std::size_t>(i / inner), i);
}
template <typename Fn>
void for_each_input_channel(const Shape& sizes, std::int64_t groups, Fn&& fn) {
  const std::int64_t columns = sizes[1];
  const std::int64_t inner = numel(sizes) == 0 ? 0 : numel(sizes) / (sizes[0] * columns);
  const std::int64_t rows_in_group = sizes[0] / groups;
  for (std::int64_t i = 0; i < numel(sizes); ++i) {
    const std::int64_t row = i / (columns * inner);
    fn(static_cast<std::size_t>(row / rows_in_group * columns + i / inner % columns), i);
  }
}

}  // namespace qdq
