#define QDQ_ISA avx2
#include "runtime/kernels/kernels.inc.h"
