#pragma once
#include "qdq/graph.h"

namespace qdq {

// Puts the ops of a torch.no_grad() or torch.enable_grad() block in line with the others: outside of training the mode
// changes nothing, and a quantizer looks at one graph at a time.
//
//     %y = wrap_with_set_grad_enabled(false, graph(a) { %relu = relu(%a) return (%relu) }, %x)      becomes
//     %getitem = getitem(%y, 0) -> add                                                              %relu = relu(%x) -> add
//
// The ops keep the names that they have in the block where those are free. Blocks inside other bodies are put in line
// there. Returns the number of blocks.
int inline_set_grad_enabled(Graph& graph);

}  // namespace qdq
