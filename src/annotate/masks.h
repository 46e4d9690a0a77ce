#pragma once
#include <string>
#include <unordered_map>

#include "qdq/program.h"

namespace qdq {

// The ops that read masks, or values that a mask was put into, and why each should stay in float.
//
//     %mask -> to(float32) -> rsub(1) -> mul(-1e9) -> add(%scores) -> softmax
//
// The observer of such a place sees [-1e9, 8]: one of 256 steps is 4e6 wide and all scores become equal. Found by
// structure, never by name:
//   mask       a float tensor computed from integer or boolean tensors and constants alone, by ops that take each element
//              for itself (arithmetic, where, casts) or move elements; an embedding is none, and integers of 8 or 16 bits
//              are samples (pixels, sound), no mask
//   far value  of magnitude 1000 or more: a constant that is added, a number that scales a mask or that where or
//              masked_fill fill in. What has far values keeps them through arithmetic and moves until another op bounds
//              it (softmax, relu ...)
// Arithmetic with a mask stays in float, and whatever reads far values but convolutions, linears and matmuls.
std::unordered_map<const Node*, std::string> ops_on_masks(const Program& program);

}  // namespace qdq
