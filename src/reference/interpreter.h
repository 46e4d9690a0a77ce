#pragma once
#include <memory>

#include "qdq/executor.h"

namespace qdq {

class Program;

// The readable executor: every node in order, one kernel per op. `program` must outlive it unchanged. Throws
// UnsupportedOpError, before anything runs, for a node without a kernel.
std::unique_ptr<Executor> make_reference_executor(const Program& program, const ExecutorOptions& options = {});

}  // namespace qdq
