#pragma once
#include <cstdint>

#include "qdq/quantize.h"

namespace qdq {

// How many values of a calibrated program widen_activations could give 16 bits.
std::int64_t count_widenable(PreparedProgram& prepared);

}  // namespace qdq
