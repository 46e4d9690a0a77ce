#pragma once
#include <optional>

#include "lower/emitter.h"
#include "ops/call.h"

namespace qdq::lower {

// A linear layer with a float input and such a weight, which stays in int8:
//
//     linear(x, dequantize(weight))     becomes   weight_only_linear
std::optional<Value> lower_weight_only_linear(const Call& call, Emitter& emitter);

// An embedding whose table is constant and dequantized row by row: only the rows that are looked up become floats.
std::optional<Value> lower_quantized_embedding(const Call& call, Emitter& emitter);

}  // namespace qdq::lower
