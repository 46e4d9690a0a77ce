#include "lower/fast_executor.h"
#include "qdq/executor.h"
#include "reference/interpreter.h"

namespace qdq {

std::unique_ptr<Executor> make_executor(const Program& program, const ExecutorOptions& options) {
  if (options.kind == ExecutorOptions::Kind::reference) return make_reference_executor(program, options);
  return make_fast_executor(program, options);
}

}  // namespace qdq
