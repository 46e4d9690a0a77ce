#pragma once
#include <memory>

#include "qdq/executor.h"

namespace qdq {

// The executor on oneDNN and our own vectorised kernels. It plans the program for the sizes of each run's inputs and keeps
// the last few plans. Programs whose sizes depend on data run on the reference interpreter as a whole.
// With `int8`, ops between dequantize and quantize run on bytes (docs/numerics.md, "The integer engine"); without, in float as the
// graph says. `threads`: 0 for all cores. The results do not depend on it. Without oneDNN in the build this
// is the reference interpreter.
std::unique_ptr<Executor> make_fast_executor(const Program& program, int threads, bool int8 = true);

}  // namespace qdq
