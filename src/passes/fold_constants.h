#pragma once
#include "passes/constant_values.h"

namespace qdq {

// Stores quantized weights: a quantize whose tensor is computed from attributes alone becomes an attribute.
//
//     get_attr @w -> t -> quantize_per_channel -> %dq      becomes      get_attr @_frozen_param0 -> %dq
//
// The new node keeps the quantize's name and the metadata of the attribute that the chain starts from. Buffers that the
// program writes to are not constants. Other constants stay where they are, and a dequantize is never folded. Attributes
// that nothing reads afterwards are dropped from the program.
// Returns how many quantizes were folded.
int fold_constants(Program& program, const Evaluate& evaluate);

// Drops get_attr nodes without users and every attribute that no get_attr node reads. Returns how many attributes went.
int remove_dead_attributes(Program& program);

}  // namespace qdq
