// Running programs.
#include "bindings.h"

namespace qdq::python {
namespace {

std::vector<Tensor> tensors_of(const std::vector<ArrayLike>& arrays) {
  std::vector<Tensor> tensors;
  for (const ArrayLike& array : arrays) tensors.push_back(array.tensor);
  return tensors;
}

}  // namespace

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

void bind_executor(nb::module_& m) {
  nb::class_<Executor>(m, "Session", R"(A program ready to run: kernels chosen, memory planned.

Session(program, executor='fast', threads=0): 'fast' has float and int8 kernels, 'simulated' computes quantized ops in float
between dequantize and quantize, as torch does, 'reference' is the readable interpreter. threads=0 uses all cores. One run at a time; the program must not be changed.)")
      .def(nb::new_([](const Program& program, std::string_view executor, int threads) -> std::shared_ptr<Executor> {
             return make_executor(program, executor_options(executor, threads));
           }),
           "program"_a, "executor"_a = "fast", "threads"_a = 0, nb::keep_alive<0, 2>())  // 1 is the class
      .def(
          "run",
          [](Executor& self, const std::vector<ArrayLike>& inputs) {
            const std::vector<Tensor> tensors = tensors_of(inputs);
            const nb::gil_scoped_release nogil;
            return self.run(tensors);
          },
          "inputs"_a,
          R"(One array per user input, in order; the results in the order of the program's user outputs.

Raises InvalidArgumentError for inputs of the wrong number, rank, dtype or size, and UnsupportedOpError, which names op,
node and source line, for an op without a kernel.)")
      .def("keep_values", &Executor::keep_values, "nodes"_a, "Makes run() keep the values of these nodes, by name.")
      .def(
          "kept_value",
          [](const Executor& self, const std::string& node) {
            const Tensor* value = self.kept_value(node);
            return value ? std::optional(*value) : std::nullopt;
          },
          "node"_a, "The value of that node in the latest run; None when it did not run.");
}

}  // namespace qdq::python
