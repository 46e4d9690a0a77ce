#include "runtime/kernels/int8/avx512_vnni.h"

#define QDQ_ISA avx512_vnni
#define QDQ_ISA_NAME "avx512_vnni"
#include "runtime/kernels/int8/elementwise.inc.h"
