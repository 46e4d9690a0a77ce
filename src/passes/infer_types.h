#pragma once
#include "qdq/graph.h"

namespace qdq {

// Gives nodes whose value is not known the type that follows from their inputs' by the operators' shape rules.
//
//     %x: f32[s0, 4]  %y = aten.neg.default(%x)        becomes        %y: f32[s0, 4]
//
// A symbolic size that an operator passes on is found again; a node where one is computed with (s0 // 2) stays without
// type, and so do those that need it. Returns how many nodes got a type.
int infer_types(Graph& graph);

}  // namespace qdq
