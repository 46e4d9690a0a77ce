#pragma once
#include "qdq/graph.h"

namespace qdq {

// Gives quantize and dequantize nodes the stack trace and quantization tag of the annotated node that they serve, so that
// partitioners and error messages place them.
//
//     Q [DQ conv Q] [DQ pool Q] DQ            brackets: what carries the metadata of the op inside
//
// An input's dequantize takes its consumer's metadata; the quantize behind a node takes that node's; a weight's quantize,
// and the view-like ops between weight and quantize, take the weight's. Ops chosen at run time (choose_qparams) take the
// consumer's. As in PyTorch, dequantizes inside a list argument (cat) get nothing.
// Throws InvalidArgumentError when a dynamic input has no choose_qparams behind it. Returns the number of annotated nodes looked at.
int port_metadata(Graph& graph);

}  // namespace qdq
