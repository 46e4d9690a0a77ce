#include "runtime/kernels/int8/avx2.h"

#define QDQ_ISA avx2
#define QDQ_ISA_NAME "avx2"
#include "runtime/kernels/int8/elementwise.inc.h"
