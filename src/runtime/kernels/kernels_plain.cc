#define QDQ_ISA plain
#include "runtime/kernels/kernels.inc.h"
