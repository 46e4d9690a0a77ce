#pragma once
#include "qdq/graph.h"

namespace qdq {

// Flips the training flag of dropouts and batch norms, here and in sub-graphs, and nothing else: p, momentum and eps stay.
//
//     dropout(%x, 0.1, true)                                     becomes    dropout(%x, 0.1, false)
//     batch_norm(%x, ..., %mean, %var, true, 0.3, 1e-3, true)    becomes    batch_norm(..., false, 0.3, 1e-3, true)
//
// All overloads that have the flag. A program that is in the wanted mode does not change. A note says which nodes cannot
// change mode: a batch norm whose overload fixes the mode, attention with a dropout probability (it has no flag).
// Both return how many flags they flipped.
int move_to_eval(Graph& graph);
int move_to_train(Graph& graph);

}  // namespace qdq
