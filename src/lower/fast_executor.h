#pragma once
#include <memory>

#include "qdq/executor.h"

namespace qdq {

// The executor on oneDNN and our own vectorised kernels. It plans the program for the sizes of each run's inputs and keeps
// the last few plans. Programs whose sizes depend on data run on the reference interpreter as a whole.
// `threads`: 0 for all cores. The results do not depend on it. Without oneDNN in the build this
// is the reference interpreter.
std::unique_ptr<Executor> make_fast_executor(const Program& program, int threads);

}  // namespace qdq
