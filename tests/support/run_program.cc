// run_program model.pt2 inputs.npz outputs.npz [threads]
// run_program --kernels
// Runs a program on the reference interpreter, on the tensors of a .npz in the order of the file, and writes its outputs
// as "0", "1", ...; with a number of threads on the fast executor; or lists the operators that have a reference kernel.
#include <cstdio>
#include <string>
#include <vector>

#include "lower/fast_executor.h"
#include "qdq/io.h"
#include "reference/interpreter.h"
#include "reference/kernels.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--kernels") {
    for (const std::string_view target : qdq::kernel_targets()) std::printf("%s\n", std::string(target).c_str());
    return 0;
  }
  if (arguments.size() != 3 && arguments.size() != 4) {
    std::fprintf(stderr, "usage: run_program model.pt2 inputs.npz outputs.npz [threads]\n");
    return 2;
  }
  try {
    const qdq::Program program = qdq::load(arguments[0]);
    std::vector<qdq::Tensor> inputs;
    for (const qdq::NamedTensor& tensor : qdq::load_tensors(arguments[1])) inputs.push_back(tensor.value);
    std::vector<qdq::NamedTensor> outputs;
    const auto executor = arguments.size() == 3 ? qdq::make_reference_executor(program)
                                                : qdq::make_fast_executor(program, std::stoi(arguments[3]));
    for (const qdq::Tensor& value : executor->run(inputs)) outputs.push_back({std::to_string(outputs.size()), value});
    qdq::save_tensors(arguments[2], outputs);
  } catch (const qdq::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return qdq::exit_code(error.code());
  }
  return 0;
}
