#pragma once
#include "qdq/program.h"

namespace qdq {

// A batch norm with fixed statistics behind a convolution (transposed too) is a scale of its weight and a new bias.
//
//     batch_norm(conv(%x, %w, %b), gamma, beta, mean, var, eps)      becomes      conv(%x, %w', %b')
//
//     k = gamma / sqrt(var + eps);   w' = w * k (along the output channels);   b' = (b - mean) * k + beta
//
// The folded tensors keep the attributes' names; a missing bias is made as "<weight>_bias". Absent gamma and beta count as
// ones and zeros. As in PyTorch the training flag is not looked at. A note says why a batch norm stays.
// Returns how many batch norms went. Throws InvalidArgumentError when weight or statistics are inputs of the program.
int fuse_conv_bn(Program& program);

// The same for linear; only on 2d inputs (on others the batch norm does not run over the output channels).
int fuse_linear_bn(Program& program);

}  // namespace qdq
