#pragma once
#include <functional>

#include "qdq/graph.h"

namespace qdq {

// What takes the place of a node among arguments.
using Substitute = std::function<Argument(Node&)>;

// `argument` with every node in it replaced. Bodies of higher-order ops are shared with the original.
Argument map_nodes(const Argument& argument, const Substitute& substitute);

// A copy of `node` at the insertion point of `graph`, with its name if that is free there. Bodies are copied with it; the
// annotation is shared.
Node& copy_node(Graph& graph, const Node& node, const Substitute& substitute);

}  // namespace qdq
