// Running programs.
#include <mutex>

#include "bindings.h"

namespace qdq::python {

ExecutorOptions executor_options(std::string_view executor, int threads) {
  ExecutorOptions options;
  options.threads = threads;
  if (executor == "reference")
    options.kind = ExecutorOptions::Kind::reference;
  else if (executor == "simulated")
    options.simulate_quantization = true;
  else if (executor != "fast")
    throw InvalidArgumentError("executor: 'fast', 'simulated' or 'reference' expected, found '" +
                               std::string(executor) + "'");
  return options;
}

namespace {

// Runs take turns: what an executor keeps is that of the latest one.
class LockedExecutor {
 public:
  LockedExecutor(Program program, const ExecutorOptions& options)
      : program_(std::move(program)), executor_(make_executor(program_, options)) {}

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) {
    const std::lock_guard lock(mutex_);
    return executor_->run(inputs);
  }
  void keep_values(std::vector<std::string> nodes) {
    const std::lock_guard lock(mutex_);
    executor_->keep_values(std::move(nodes));
  }
  std::optional<Tensor> kept_value(const std::string& node) {
    const std::lock_guard lock(mutex_);
    const Tensor* value = executor_->kept_value(node);
    return value ? std::optional(*value) : std::nullopt;
  }

 private:
  Program program_;
  std::unique_ptr<Executor> executor_;
  std::mutex mutex_;
};

}  // namespace

void bind_executor(nb::module_& m) {
  nb::class_<Session>(m, "Session", R"(A program ready to run, from any number of threads at the same time.

Session(program, executor='fast', threads=0): 'fast' has float and int8 kernels, 'simulated' computes quantized ops in float
between dequantize and quantize, as torch does, 'reference' is the readable interpreter. threads: of each run; 0 uses all
cores. The session has the program as it is now: later changes do not reach it.)")
      .def(
          "__init__",
          [](Session* self, const Program& program, std::string_view executor, int threads) {
            new (self) Session(program.clone(), executor_options(executor, threads));
          },
          "program"_a, "executor"_a = "fast", "threads"_a = 0)
      .def(
          "run",
          [](const Session& self, const std::vector<ArrayLike>& inputs) {
            const std::vector<Tensor> tensors = all_of(inputs);
            const nb::gil_scoped_release nogil;
            return self.run(tensors);
          },
          "inputs"_a,
          R"(One array per user input, in order; the results in the order of the program's user outputs.

A program that changes its buffers has one run after the other.
Raises InvalidArgumentError for inputs of the wrong number, rank, dtype or size and for a NaN in one, and
UnsupportedOpError, which names op, node and source line, for an op without a kernel.)");
  nb::class_<LockedExecutor>(m, "Executor",
                             R"(What looks into the runs of a program: as Session, but one run after the other.

Takes NaNs.)")
      .def(
          "__init__",
          [](LockedExecutor* self, const Program& program, std::string_view executor, int threads) {
            new (self) LockedExecutor(program.clone(), executor_options(executor, threads));
          },
          "program"_a, "executor"_a = "fast", "threads"_a = 0)
      .def(
          "run",
          [](LockedExecutor& self, const std::vector<ArrayLike>& inputs) {
            const std::vector<Tensor> tensors = all_of(inputs);
            const nb::gil_scoped_release nogil;
            return self.run(tensors);
          },
          "inputs"_a, "As Session.run.")
      .def("keep_values", &LockedExecutor::keep_values, "nodes"_a, nb::call_guard<nb::gil_scoped_release>(),
           "Makes run() keep the values of these nodes, by name.")
      .def("kept_value", &LockedExecutor::kept_value, "node"_a, nb::call_guard<nb::gil_scoped_release>(),
           "The value of that node in the latest run; None when it did not run.");
}

}  // namespace qdq::python
