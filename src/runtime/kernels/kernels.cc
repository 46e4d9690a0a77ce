#include "runtime/kernels/kernels.h"

namespace qdq::runtime {

namespace plain {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

const Kernels* const* all_kernels(int* count) {
  static const Kernels* const sets[] = {&plain::kKernels, &avx2::kKernels, &avx512::kKernels};
  static const int usable = [] {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 1;
    const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return has_avx512 ? 3 : 2;
  }();
  *count = usable;
  return sets;
}

const Kernels& kernels() {
  static const Kernels& best = [&]() -> const Kernels& {
    int count = 0;
    const Kernels* const* sets = all_kernels(&count);
    return *sets[count - 1];
  }();
  return best;
}

}  // namespace qdq::runtime
