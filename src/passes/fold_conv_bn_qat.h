#pragma once
#include "qdq/program.h"

namespace qdq {

// After training: takes the form of fuse_conv_bn_qat apart and folds the batch norm into the convolution, for good.
//
//     batch_norm(conv(%x, dq(q(%w * reshape(%s))), zeros) / reshape(%s) + reshape(%b), ...)        becomes
//
//     conv(%x, dq(q(%w')), %b')          with w' and b' as in fuse_conv_bn; a quantized bias keeps its quantize and dequantize
//
// The weight's scale is the one observed on w * s. Weights per tensor or per channel; the bias absent, in float or quantized.
// The batch norm goes whether it trains or not. The counters of batches of all BatchNorm2d modules go in any program with a batch
// norm, folded or not. What is left goes in front of the first reader of the batch norm, under the names that torchao gives it.
// Returns how many were folded. Throws InvalidArgumentError as fuse_conv_bn does.
int fold_conv_bn_qat(Program& program);

}  // namespace qdq
