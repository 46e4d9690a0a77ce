#define QDQ_ISA avx512
#include "runtime/kernels/kernels.inc.h"
