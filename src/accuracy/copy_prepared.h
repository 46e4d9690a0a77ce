#pragma once
#include "qdq/quantize.h"

namespace qdq {

// A program of its own with the same observers, whose annotations name its own nodes: to convert while the original stays prepared.
PreparedProgram copy_prepared(const PreparedProgram& prepared);

}  // namespace qdq
