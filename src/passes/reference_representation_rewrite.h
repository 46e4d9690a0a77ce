#pragma once
#include "qdq/graph.h"

namespace qdq {

// Writes quantized ops out in integer arithmetic, as torchao's pass of that name does (convert_pt2e's
// use_reference_representation): a description of what a backend computes, for int8 and per-tensor qparams.
//
//     dequantize(x) -> linear(., dequantize(w), b) -> quantize
//
//     becomes   acc = out_dtype(linear, int32, int16(x) - zx, int16(w) - zw) + out_dtype(div, int32, b, sx * sw)
//               int8(clamp(out_dtype(mul, int32, acc, sx * sw / sy) + zy))
//
// Rewritten, in this order: dynamic linear; dynamic linear with int8 activations per token and 4-bit weights in groups (a call of
// torchao.reference_dqlinear_int4); linear; convolution; add with relu; add; max_pool2d_with_indices; then what is
// left of quantize and dequantize, per tensor and per channel. Linears and convolutions need a bias. The scale of a dynamic
// linear is a float64, so that its result is converted to float32; torchao leaves that out, and the next op fails. The results may differ
// from those of the float ops by two steps: out_dtype cuts off where quantize rounds.
// Returns how many patterns were replaced.
int reference_representation_rewrite(Graph& graph);

}  // namespace qdq
