#pragma once
#include "lower/emitter.h"
#include "ops/call.h"

namespace qdq::lower {

// Runs a call on the reference kernel: for ops, dtypes and modes without a fast one. Returns its value; nothing when the
// sizes of the results depend on data.
std::optional<Value> emit_reference(const Call& call, Emitter& emitter);

// The value of a call whose tensors all have data, by the reference kernel.
Value evaluate_now(const Call& call);

// Several results count as one list, as in torch.fx.
Value as_one(const Call& call, std::vector<Value> values);

}  // namespace qdq::lower
