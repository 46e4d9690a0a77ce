#pragma once
#include <cstdint>

#include "qdq/program.h"

namespace qdq {

// What one output of a layer is computed from, as rows of a matrix: X of y = X W^T for group `group` of the layer, with
// W [output channels of the group, inputs of an output]. Of a linear the vectors of the last dimension, of a convolution
// its windows, padding included. At most `most` rows for each sample of a convolution, evenly spread.
//   input: [N, C, spatial...] or [..., K]       result: [rows, K]
Tensor patches(const Node& layer, const Shape& weight_sizes, const Tensor& input, std::int64_t group,
               std::int64_t most);

// The results that belong to those rows: Y of `output`, what the layer made of `input`.
//   output: [N, C, spatial...] or [..., C]      result: [rows, output channels of the group]
Tensor result_rows(const Node& layer, const Tensor& output, std::int64_t group, std::int64_t most);

}  // namespace qdq
