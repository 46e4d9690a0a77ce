#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "ops/schema.h"

namespace qdq {

// Computes one op: its results in the order of the schema. In-place ops write into their first argument and return it.
using Kernel = std::vector<Value> (*)(const Call&);

// One line of the kernel table, as a family file writes it.
struct KernelRow {
  std::string_view target;  // "aten.conv2d.default"
  Kernel kernel;
};
using KernelFamily = std::span<const KernelRow>;

bool has_kernel(std::string_view target);
// Targets of all kernels, in the order of the families.
std::vector<std::string_view> kernel_targets();

// Runs one op on real tensors, for the interpreter, for constant folding and for executors that have no kernel of their
// own. Throws UnsupportedOpError for an op without a kernel and InvalidArgumentError, naming the node, for arguments that
// do not fit.
std::vector<Value> evaluate(const Call& call);

// The families, one per file of this folder; kernels.cc lists them.
KernelFamily conv_kernels();
KernelFamily linear_kernels();
KernelFamily attention_kernels();
KernelFamily unary_kernels();
KernelFamily activation_kernels();
KernelFamily binary_kernels();
KernelFamily compare_kernels();
KernelFamily reduction_kernels();
KernelFamily sort_kernels();
KernelFamily norm_kernels();
KernelFamily pool_kernels();
KernelFamily resample_kernels();
KernelFamily upsample_kernels();
KernelFamily view_kernels();
KernelFamily copy_kernels();
KernelFamily index_kernels();
KernelFamily scatter_kernels();
KernelFamily select_kernels();
KernelFamily einsum_kernels();
KernelFamily im2col_kernels();
KernelFamily creation_kernels();
KernelFamily recurrent_kernels();
KernelFamily symbolic_kernels();
KernelFamily qdq_kernels();
KernelFamily per_token_kernels();
KernelFamily fake_quantize_kernels();
KernelFamily affine_kernels();

}  // namespace qdq
