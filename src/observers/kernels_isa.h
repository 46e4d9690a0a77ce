#pragma once
// The sets by instruction set, for kernels.cc. A set may only be called where the processor supports it.
#include "observers/kernels.h"

namespace qdq {

extern const ObserverKernels kBaselineKernels;
#if defined(__x86_64__)
extern const ObserverKernels kAvx2Kernels;
extern const ObserverKernels kAvx512Kernels;
#endif

}  // namespace qdq
