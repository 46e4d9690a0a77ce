// steps_off model.pt2 data.npz samples batch
// Computes every op of a converted program alone, in int8 and in float between its dequantize and quantize nodes, both on the values
// that the float graph has there, and prints by how many steps of its scale the integer result is off at most:
//     <quantize node> <largest difference> <elements that differ> <elements>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "numeric_debugger/cut_program.h"
#include "qdq/executor.h"
#include "qdq/io.h"

namespace {

struct Difference {
  long long largest = 0;
  long long elements_off = 0;
  long long elements = 0;

  void add(const qdq::Tensor& a, const qdq::Tensor& b) {
    const qdq::Tensor left = a.to(qdq::DType::int32).contiguous(), right = b.to(qdq::DType::int32).contiguous();
    for (std::int64_t i = 0; i < left.numel(); ++i) {
      const long long off =
          std::abs(static_cast<long long>(left.data<std::int32_t>()[i]) - right.data<std::int32_t>()[i]);
      largest = std::max(largest, off);
      elements_off += off != 0;
    }
    elements += left.numel();
  }
};

std::vector<std::string> quantize_nodes(const qdq::Program& program) {
  std::vector<std::string> names;
  for (const qdq::Node& node : program.graph().nodes())
    if (node.is("quantized_decomposed.quantize_per_tensor.default")) names.push_back(node.name());
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: steps_off model.pt2 data.npz samples batch\n");
    return 2;
  }
  const qdq::Program program = qdq::load(argv[1]);
  const std::vector<qdq::NamedTensor> data = qdq::load_tensors(argv[2]);
  const std::vector<std::string> names = quantize_nodes(program);
  const qdq::Program cut = qdq::cut_program(program, names);
  qdq::ExecutorOptions simulated;
  simulated.simulate_quantization = true;
  const auto whole = qdq::make_executor(program, simulated);
  whole->keep_values(names);
  const auto in_float = qdq::make_executor(cut, simulated);
  const auto in_int8 = qdq::make_executor(cut);
  std::vector<Difference> differences(names.size());
  const int samples = std::atoi(argv[3]), batch = std::atoi(argv[4]);
  for (int sample = 0; sample + batch <= samples; sample += batch) {
    std::vector<qdq::Tensor> inputs;
    for (const qdq::NamedTensor& array : data) inputs.push_back(array.value.narrow(0, sample, batch).clone());
    whole->run(inputs);
    for (const std::string& name : names) inputs.push_back(*whole->kept_value(name));
    const std::vector<qdq::Tensor> wanted = in_float->run(inputs), found = in_int8->run(inputs);
    for (std::size_t i = 0; i < names.size(); ++i) differences[i].add(found[i], wanted[i]);
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    std::printf("%s %lld %lld %lld\n", names[i].c_str(), differences[i].largest, differences[i].elements_off,
                differences[i].elements);
  return 0;
}
