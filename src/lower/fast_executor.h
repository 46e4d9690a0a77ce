#pragma once
#include <memory>

#include "qdq/executor.h"

namespace qdq {

// The executor on oneDNN and our own vectorised kernels. It plans the program for the sizes of each run's inputs and keeps
// the last few plans. Programs whose sizes depend on data run on the reference interpreter as a whole.
// Ops between dequantize and quantize run on bytes (docs/numerics.md, "The integer engine"); if quantization is simulated, in float as the
// graph says. The results do not depend on the number of threads. Without oneDNN in the build this is the reference interpreter.
std::unique_ptr<Executor> make_fast_executor(const Program& program, const ExecutorOptions& options);

}  // namespace qdq
