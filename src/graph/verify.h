#pragma once
#include <string_view>

#include "qdq/program.h"

namespace qdq {

// Throws InternalError "[verify after `stage`] 'node' (op) at file:line: ..." when the graph breaks a rule:
// names are unique and found by find(); every argument is a node of the same graph, not erased and defined earlier;
// producers know exactly their consumers; targets are not empty; placeholders and get_attr nodes have no inputs; the
// output node, if any, is the only one, the last, without users and holds one list. Subgraphs are held to the same.
void verify(const Graph& graph, std::string_view stage);

// Also: there is an output node; each get_attr of the main graph has its attribute, of the dtype that its type says;
// the input specs name the placeholders, once each; there is a spec for each result, mutations name a buffer, parameter
// or input that exists.
void verify(const Program& program, std::string_view stage);

}  // namespace qdq
