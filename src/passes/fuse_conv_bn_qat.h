#pragma once
#include "qdq/graph.h"

namespace qdq {

// Lets a convolution train on the weight that it will have once its batch norm is folded in (torchao's prepare_qat_pt2e,
// nniqat.ConvBn2d's approximation: one forward pass, the running statistics as scale).
//
//     batch_norm(conv(%x, %w, %b), %gamma, %beta, %mean, %var, ...)        becomes
//
//     %s = %gamma / sqrt(%var + eps)
//     %y = conv(%x, %w * reshape(%s), zeros_like(%b)) / reshape(%s) + reshape(%b)        a fake quantizer may sit on w * s
//     batch_norm(%y, %gamma, %beta, %mean, %var, true, momentum, eps)
//
// For conv1d, conv2d, conv_transpose1d and conv_transpose2d that only the batch norm reads; without bias the zeros and the
// last sum are left out. The batch norm trains from here on, and keeps its momentum and eps (torchao's become 0.1 and 1e-5).
// Annotations stay with their nodes; what they said of the weight is said of w * s, what they said of the bias of the zeros.
// New nodes go in front of the first reader of the batch norm, under the names that torchao gives them.
// A note says why a batch norm behind a convolution stays as it is. Returns how many were rewritten.
int fuse_conv_bn_qat(Graph& graph);

// Whether `node` is the w * s of such a form.
bool is_scaled_weight(const Node& node);

}  // namespace qdq
