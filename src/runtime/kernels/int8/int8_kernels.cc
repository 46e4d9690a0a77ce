#include "runtime/kernels/int8/int8_kernels.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "qdq/error.h"

namespace qdq::runtime::int8 {

std::span<const Kernels* const> all_kernels() {
  static const std::vector<const Kernels*> available = [] {
    std::vector<const Kernels*> sets = {&portable::kKernels};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&avx2::kKernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
      sets.push_back(&avx512_vnni::kKernels);
#endif
    return sets;
  }();
  return available;
}

const Kernels& kernels() {
  static const Kernels& chosen = []() -> const Kernels& {
    const char* wanted = std::getenv("QDQ_ISA");
    if (!wanted || *wanted == '\0') return *all_kernels().back();
    std::string names;
    for (const Kernels* set : all_kernels()) {
      if (set->isa == wanted) return *set;
      names += (names.empty() ? "" : ", ") + std::string(set->isa);
    }
    throw InvalidArgumentError("QDQ_ISA names '" + std::string(wanted) + "'; this machine has " + names);
  }();
  return chosen;
}

}  // namespace qdq::runtime::int8
