#pragma once
#include "ops/call.h"

namespace qdq {

// Parameters of a pooling op, one entry per pooled dimension.
struct PoolParams {
  Shape kernel;
  Shape stride;
  Shape padding;
  Shape dilation;
  bool ceil_mode = false;
};

// How many trailing dimensions the op pools: the digit in its name.
std::size_t pooled_dims(const Call& call);
PoolParams pool_params(const Call& call, std::size_t spatial);

}  // namespace qdq
