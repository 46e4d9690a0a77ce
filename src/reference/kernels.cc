#include "reference/kernels.h"

#include <array>
#include <string>
#include <unordered_map>

#include "reference/eval.h"

namespace qdq {
namespace {

std::span<const KernelFamily> families() {
  static const std::array all = {
      conv_kernels(),   linear_kernels(),    attention_kernels(),     unary_kernels(),    activation_kernels(),
      binary_kernels(), compare_kernels(),   reduction_kernels(),     sort_kernels(),     norm_kernels(),
      pool_kernels(),   resample_kernels(),  upsample_kernels(),      view_kernels(),     copy_kernels(),
      index_kernels(),  creation_kernels(),  recurrent_kernels(),     symbolic_kernels(), qdq_kernels(),
      affine_kernels(), per_token_kernels(), fake_quantize_kernels(), scatter_kernels(),  select_kernels(),
      einsum_kernels(), im2col_kernels(),
  };
  return all;
}

const std::unordered_map<std::string_view, Kernel>& table() {
  static const std::unordered_map<std::string_view, Kernel> the_table = [] {
    std::unordered_map<std::string_view, Kernel> result;
    for (const KernelFamily& family : families())
      for (const KernelRow& row : family)
        if (!result.emplace(row.target, row.kernel).second || !find_schema(row.target))
          throw InternalError("kernel '" + std::string(row.target) + "' is listed twice or has no schema");
    return result;
  }();
  return the_table;
}

}  // namespace

bool has_kernel(std::string_view target) {
  const OpSchema* schema = find_schema(target);
  return schema && table().contains(schema->target);
}

std::vector<std::string_view> kernel_targets() {
  std::vector<std::string_view> targets;
  for (const KernelFamily& family : families())
    for (const KernelRow& row : family) targets.push_back(row.target);
  return targets;
}

std::vector<Value> evaluate(const Call& call) {
  const auto found = table().find(call.schema().target);
  if (found == table().end())
    throw UnsupportedOpError("[run] " + call.node().describe() + ": no reference kernel for this operator");
  try {
    return found->second(call);
  } catch (const InvalidArgumentError& error) {
    // What the tensor functions refuse does not know the node.
    if (std::string_view(error.what()).starts_with("[")) throw;
    call.fail(error.what());
  }
}

Tensor operand(const Call& call, const Value& value, DType dtype) {
  if (const Tensor* tensor = value.tensor()) return tensor->to(dtype);
  if (const auto* number = std::get_if<std::int64_t>(&value.v)) return Tensor::scalar(*number).to(dtype);
  if (const auto* number = std::get_if<double>(&value.v)) return Tensor::scalar(*number).to(dtype);
  if (const auto* flag = std::get_if<bool>(&value.v)) return Tensor::scalar(*flag).to(dtype);
  call.fail("an operand is neither a tensor nor a number");
}

}  // namespace qdq
