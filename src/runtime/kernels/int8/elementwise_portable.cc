#include "runtime/kernels/int8/portable.h"

#define QDQ_ISA portable
#define QDQ_ISA_NAME "portable"
#include "runtime/kernels/int8/elementwise.inc.h"
