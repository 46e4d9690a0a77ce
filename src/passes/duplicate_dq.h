#pragma once
#include "qdq/graph.h"

namespace qdq {

// Gives every annotated consumer a dequantize of its own, so that a backend can fuse each with its consumer.
//
//     %q -> %dq -> conv, add, view            becomes      %q -> %dq_1 -> conv
//     (conv and add annotated, view not)                      -> %dq_2 -> add
//                                                             -> %dq   -> view
//
// Consumers without an annotation, the output and quantize nodes go on sharing the original. Size queries do not count as
// consumers. A dequantize behind a quantize whose qparams are chosen at run time (choose_qparams) is left alone.
// Returns the number of dequantizes made.
int duplicate_dq(Graph& graph);

}  // namespace qdq
