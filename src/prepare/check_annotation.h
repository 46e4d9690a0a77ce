#pragma once
#include "qdq/quantizer.h"

namespace qdq {

// Refuses what no observer could make sense of in the annotation of `node`: keys that are not its inputs, bounds that
// contradict each other or the dtype, channels along an axis that the tensor has not or whose size changes, specs without
// what they need. Throws InvalidArgumentError (mistake.h).
void check_annotation(const Node& node);

}  // namespace qdq
