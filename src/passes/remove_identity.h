#pragma once
#include "qdq/graph.h"

namespace qdq {

// Removes nodes that return their input unchanged: dropout in eval mode, `alias`, a cast to the same dtype, an expand or
// view to the same shape, a `detach`.
//
//     %a -> dropout(%a, p, train=false) -> users        becomes        %a -> users
//
// Nodes that may copy (`clone`, `contiguous`, a cast with copy=true) stay: the copy can be written to. So do those whose
// value is a result of the graph, as their name is part of the signature.
// Returns how many nodes went. Annotations of a removed node are dropped with it.
int remove_identity(Graph& graph);

}  // namespace qdq
