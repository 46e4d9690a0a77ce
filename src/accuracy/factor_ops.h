#pragma once
#include <optional>

#include "qdq/graph.h"

namespace qdq {

// What a positive factor per channel does on its way through an op.

bool is_relu_op(const Node& node);
// f(s x) = s f(x), and channels stay what they are: relu, pooling, dropout ...
bool lets_factors_through(const Node& node);
// [N, C, 1, 1] -> [N, C]
bool drops_single_pixels(const Node& node);
// Of a clamp from 0 to a positive number (ReLU6): that number.
std::optional<double> upper_clamp(const Node& node);

}  // namespace qdq
