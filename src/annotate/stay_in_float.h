#pragma once
#include <span>

#include "qdq/quantizer.h"

namespace qdq {

// What a quantizer takes before its rules look for patterns: ops that one of `excluded` names and, unless masks are to be
// observed, ops on masks (annotate/masks.h).
void leave_excluded_in_float(Program& program, std::span<const NodeFilter> excluded, bool observe_masks);

}  // namespace qdq
