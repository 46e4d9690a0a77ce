#pragma once
#include <memory>
#include <vector>

#include "qdq/executor.h"
#include "qdq/program.h"

namespace qdq {

// A program that serves requests: any number of threads may run it at the same time. Weights are packed once, memory is planned
// once per thread that runs and sizes of the inputs. Copies are handles of the same session.
//
//     const qdq::Session session(qdq::load("model.int8.pt2"), {.threads = 1});
//     std::vector<qdq::Tensor> outputs = session.run({image});
//
// What looks into a run (kept values, step times, observers) is an Executor's, of which a session has one for each thread.
class Session {
 public:
  // The program stays the caller's and must outlive the session unchanged.
  explicit Session(const Program& program, const ExecutorOptions& options = {});
  // The program becomes the session's.
  explicit Session(Program&& program, const ExecutorOptions& options = {});

  // As Executor::run; also throws InvalidArgumentError, which names the input, for a NaN in it. `threads` of the options are for each
  // run. A program that changes its buffers has one run after the other.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace qdq
