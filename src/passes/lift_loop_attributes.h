#pragma once
#include "qdq/program.h"

namespace qdq {

// Lets loops read their tensors through their arguments, the only way that a .pt2 file knows. Convert gives bodies
// tensors of their own: scales per channel, constants.
//
//     scan(graph(c, x) { %s = get_attr @step._scale_0 ... }, [%c], [%xs], [])       becomes
//     %s = get_attr @step._scale_0
//     scan(graph(c, x, s) { ... }, [%c], [%xs], [%s])
//
// Returns the number of attributes, once for each loop that they are lifted out of.
int lift_loop_attributes(Graph& graph);

}  // namespace qdq
