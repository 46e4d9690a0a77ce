#include "lower/fast_executor.h"
#include "reference/interpreter.h"

namespace qdq {

std::unique_ptr<Executor> make_fast_executor(const Program& program, const ExecutorOptions& options) {
  return make_reference_executor(program, options);
}

}  // namespace qdq
