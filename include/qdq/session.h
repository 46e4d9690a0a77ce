#pragma once
#include <memory>
#include <utility>
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

  // Another session of the same program, which shares the packed weights. Of `options`, `threads` and `pool` count; the others are
  // this one's. A program that changes its buffers has buffers of its own there.
  Session share(const ExecutorOptions& options) const;

  // As Executor::run; also throws InvalidArgumentError, which names the input, for a NaN in it. `threads` of the options are for each
  // run. A program that changes its buffers has one run after the other.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const;
  // As Executor::run_into.
  void run_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) const;

 private:
  class Impl;
  explicit Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace qdq
