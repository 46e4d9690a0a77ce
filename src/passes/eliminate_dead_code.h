#pragma once
#include "qdq/graph.h"

namespace qdq {

// Removes nodes that nobody uses, and what only they used, as torch.fx does.
//
//     %a -> relu -> (nobody)        becomes        %a
//
// Inputs, the output and nodes with effects stay: see has_effects(). Returns how many nodes went.
int eliminate_dead_code(Graph& graph);

// Whether running `node` does more than to produce its value: it writes to an argument, draws random numbers (which
// moves the generator on), asserts, or is an op of somebody else that could do any of these.
bool has_effects(const Node& node);

}  // namespace qdq
