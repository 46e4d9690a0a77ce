// run_program model.pt2 inputs.npz outputs.npz [threads]
// run_program --kernels
// run_program --onnx
// Runs a program on the reference interpreter, on the tensors of a .npz in the order of the file, and writes its outputs
// as "0", "1", ...; with a number of threads on the fast executor; or lists the operators that have a reference kernel,
// or the translations from and to ONNX: "write <ATen op> <ONNX ops>" and "read <ONNX op> <ATen ops>", separated by tabs, and
// "refuse <ATen op>" for those without one.
#include <cstdio>
#include <string>
#include <vector>

#include "formats/onnx/read/family.h"
#include "formats/onnx/write/family.h"
#include "lower/fast_executor.h"
#include "ops/schema.h"
#include "qdq/io.h"
#include "reference/interpreter.h"
#include "reference/kernels.h"

namespace {

void print_row(std::string_view kind, std::string_view from, std::string_view to) {
  std::printf("%s\t%s\t%s\n", std::string(kind).c_str(), std::string(from).c_str(), std::string(to).c_str());
}

void print_onnx() {
  for (const auto& family : qdq::onnx::all_writers())
    for (const auto& row : family) print_row("write", row.target, row.onnx);
  for (const auto& family : qdq::onnx::all_readers())
    for (const auto& row : family) print_row("read", row.op, row.aten);
  for (const qdq::OpSchema* schema : qdq::all_schemas())
    if (!schema->mutates() && !schema->traits.is_assertion && !qdq::onnx::find_writer(schema->target))
      print_row("refuse", schema->target, "");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--kernels") {
    for (const std::string_view target : qdq::kernel_targets()) std::printf("%s\n", std::string(target).c_str());
    return 0;
  }
  if (arguments.size() == 1 && arguments[0] == "--onnx") {
    print_onnx();
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
    const auto executor = arguments.size() == 3
                              ? qdq::make_reference_executor(program)
                              : qdq::make_fast_executor(program, {.threads = std::stoi(arguments[3])});
    for (const qdq::Tensor& value : executor->run(inputs)) outputs.push_back({std::to_string(outputs.size()), value});
    qdq::save_tensors(arguments[2], outputs);
  } catch (const qdq::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return qdq::exit_code(error.code());
  }
  return 0;
}
