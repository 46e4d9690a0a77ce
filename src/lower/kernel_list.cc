#include "lower/kernel_list.h"

#include <unordered_map>

namespace qdq::lower {

const std::vector<KernelFamily>& kernel_list() {
  static const std::vector<KernelFamily> families = {
      conv_kernels(),     linear_kernels(),    elementwise_kernels(), norm_kernels(), pool_kernels(),
      movement_kernels(), reduction_kernels(), attention_kernels(),   qdq_kernels(),
  };
  return families;
}

LowerFn find_kernel(std::string_view target) {
  static const auto table = [] {
    std::unordered_map<std::string_view, LowerFn> map;
    for (const KernelFamily& family : kernel_list())
      for (const KernelRow& row : family) map[row.target] = row.lower;
    return map;
  }();
  const auto found = table.find(target);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace qdq::lower
