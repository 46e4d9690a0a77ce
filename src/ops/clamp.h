#pragma once
#include <limits>
#include <optional>

#include "ops/call.h"

namespace qdq {

// Between what the results of a clamp lie. As doubles, -inf and inf where there is no bound.
struct ClampBounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// Of relu, relu6, hardtanh and clamp with numbers as bounds, in place or not; nothing for other ops.
std::optional<ClampBounds> clamp_bounds(const Call& call);
// The same of a node, whatever its input is.
std::optional<ClampBounds> clamp_bounds(const Node& node);

}  // namespace qdq
