#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "lower/emitter.h"
#include "ops/call.h"

namespace qdq::lower {

// Emits the steps of one call and returns its value. Nothing when this kernel does not take these arguments (another
// dtype, a rare mode): the reference kernel runs instead. Nothing may have been emitted then.
using LowerFn = std::optional<Value> (*)(const Call& call, Emitter& emitter);

struct KernelRow {
  std::string_view target;
  LowerFn lower;
};
using KernelFamily = std::span<const KernelRow>;

// The fast kernel of an op, or null. An in-place op (aten.relu_.default) is lowered as its functional form with the
// emitter's destination set.
LowerFn find_kernel(std::string_view target);
const std::vector<KernelFamily>& kernel_list();

// One file per family.
KernelFamily conv_kernels();
KernelFamily linear_kernels();
KernelFamily elementwise_kernels();
KernelFamily norm_kernels();
KernelFamily pool_kernels();
KernelFamily movement_kernels();
KernelFamily reduction_kernels();
KernelFamily attention_kernels();
KernelFamily qdq_kernels();

// Scale and zero point of a quantize_per_tensor or dequantize_per_tensor, given as numbers or constants; nothing when they are
// known only at run time.
std::optional<runtime::AffineParams> affine_params_of(const Call& call, const Emitter& emitter);

inline bool is_float(const Tensor& tensor) { return tensor.defined() && tensor.dtype() == DType::float32; }

}  // namespace qdq::lower
