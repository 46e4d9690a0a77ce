#pragma once
#include "lower/emitter.h"

namespace qdq::lower {

// What attention adds to its scores, expanded to `sizes`; undefined without a mask. A bool mask says which keys are seen.
Tensor additive_mask(const Tensor& mask, const Shape& sizes, Emitter& emitter);

}  // namespace qdq::lower
