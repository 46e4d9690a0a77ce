// bench_node_scaling [FOLDER [NODES...]]
// How the graph stages' time grows with the number of nodes. Makes .pt2 programs of NODES (1000 10000 100000) nodes
// (a chain of linear, relu and a residual add, each linear with weights of its own and the metadata that torch.export
// writes) in FOLDER (default: the system's temporary folder), then loads, prepares, converts and saves each and prints
// milliseconds of processor time per stage (other work on the machine does not count) and microseconds per node. The last line divides the time per node of the largest program by
// that of the smallest: 1 is linear. One batch is calibrated as well; that is the executor's time and not in the sum.
// Ranges come from min/max observers: what a histogram's search costs is measured by benchmarks/observers.py.
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "qdq/qdq.h"

namespace {

using qdq::Argument;
constexpr std::int64_t kWidth = 8;
constexpr int kNodesPerBlock = 5;  // weight, bias, linear, relu, add

qdq::TensorMeta meta(std::vector<std::int64_t> sizes) {
  qdq::TensorMeta result;
  std::int64_t stride = 1;
  for (const std::int64_t size : sizes) result.sizes.emplace_back(size);
  result.strides.resize(sizes.size(), qdq::SymInt(1));
  for (std::size_t d = sizes.size(); d-- > 0; stride *= sizes[d]) result.strides[d] = qdq::SymInt(stride);
  return result;
}

class Chain {
 public:
  explicit Chain(int blocks) {
    qdq::Graph& graph = program_.graph();
    const std::size_t count = static_cast<std::size_t>(blocks);
    std::vector<qdq::Node*> weights;
    std::vector<qdq::Node*> biases;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string module = "blocks." + std::to_string(i) + ".linear";
      weights.push_back(&parameter(module + ".weight", {kWidth, kWidth}, i));
      biases.push_back(&parameter(module + ".bias", {kWidth}, i));
    }
    qdq::Node* x = &graph.placeholder("x");
    x->type.v = meta({1, kWidth});
    program_.inputs.push_back({qdq::InputSpec::Kind::user_input, "x", {}});
    for (std::size_t i = 0; i < count; ++i) {
      qdq::Node& linear = op("linear", i, {*x, *weights[i], *biases[i]});
      x = &op("add", i, {op("relu", i, {linear}), *x});
    }
    graph.output({*x});
    program_.outputs.push_back({});
  }

  qdq::Program take() { return std::move(program_); }

 private:
  qdq::Node& parameter(const std::string& name, const std::vector<std::int64_t>& sizes, std::size_t seed) {
    qdq::Attribute attribute;
    attribute.name = name;
    attribute.requires_grad = true;
    attribute.value = qdq::Tensor::empty(qdq::DType::float32, {sizes.begin(), sizes.end()});
    float* values = attribute.value.data<float>();
    // Negative weights and a positive bias: the residual chain goes to a fixed point instead of growing without bound.
    for (std::int64_t i = 0; i < attribute.value.numel(); ++i)
      values[i] =
          sizes.size() == 1 ? 0.1f : -static_cast<float>((static_cast<std::size_t>(i) * 7 + seed) % 13) / 256.0f;
    return program_.add_attribute(std::move(attribute));
  }

  qdq::Node& op(const std::string& name, std::size_t i, Argument::List args) {
    const std::string target = "aten." + name + (name == "add" ? ".Tensor" : ".default");
    const std::string node_name = i == 0 ? name : name + "_" + std::to_string(i);
    qdq::Node& node = program_.graph().create(qdq::NodeKind::call_function, target, std::move(args), {}, node_name);
    node.type.v = meta({1, kWidth});
    const std::string path = "blocks." + std::to_string(i) + "." + name;
    node.meta.set("stack_trace",
                  "  File \"/home/user/project/models/residual_chain.py\", line 31, in forward\n"
                  "    x = block(x)\n"
                  "  File \"/home/user/project/models/residual_chain.py\", line 14, in forward\n"
                  "    return x + self.relu(self.linear(x))\n");
    node.meta.set("nn_module_stack", "L__self__,,residual_chain.Chain;L__self___blocks_" + std::to_string(i) +
                                         ",blocks." + std::to_string(i) + ",residual_chain.Block;L__self___" + name +
                                         "," + path + ",torch.nn.modules." + name);
    node.meta.set("torch_fn", "built_in_function_" + name + ";builtin_function_or_method." + name);
    return node;
  }

  qdq::Program program_;
};

// Milliseconds of the processor since the program began.
double processor_time() { return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC; }

struct Times {
  std::vector<std::pair<std::string, double>> stages;  // milliseconds
  double megabytes = 0;                                // of the quantized file

  template <typename Fn>
  auto measure(const std::string& stage, Fn&& fn) {
    const double start = processor_time();
    auto result = fn();
    stages.emplace_back(stage, processor_time() - start);
    return result;
  }
};

Times run(int nodes, const std::filesystem::path& folder) {
  const auto file = folder / ("chain_" + std::to_string(nodes) + ".pt2");
  const auto quantized_file = folder / ("chain_" + std::to_string(nodes) + "_int8.pt2");
  qdq::save(Chain(nodes / kNodesPerBlock).take(), file);
  Times times;
  qdq::Program program = times.measure("load", [&] { return qdq::load(file); });
  qdq::XnnpackQuantizer quantizer;
  qdq::QuantizationConfig config = qdq::symmetric_config({.per_channel = true});
  config.input_activation->observer_or_fake_quant_ctr = qdq::min_max_observer();
  config.output_activation->observer_or_fake_quant_ctr = qdq::min_max_observer();
  quantizer.set_global(config);
  qdq::PreparedProgram prepared = times.measure("prepare", [&] { return qdq::prepare(std::move(program), quantizer); });
  const double start = processor_time();
  prepared.calibrate({qdq::Tensor::full(qdq::DType::float32, {1, kWidth}, 0.5)});
  const double calibration = processor_time() - start;
  const qdq::Program quantized = times.measure("convert", [&] { return qdq::convert(std::move(prepared)); });
  times.measure("save", [&] { return qdq::save(quantized, quantized_file), 0; });
  times.measure("load int8", [&] { return qdq::load(quantized_file); });
  times.stages.emplace_back("(calibrate)", calibration);
  times.megabytes = static_cast<double>(std::filesystem::file_size(quantized_file)) / 1e6;
  std::filesystem::remove(file);
  std::filesystem::remove(quantized_file);
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().c_str();
    std::vector<int> counts;
    for (int i = 2; i < argc; ++i) counts.push_back(std::stoi(argv[i]));
    if (counts.empty()) counts = {1000, 10000, 100000};
    std::vector<Times> all;
    for (const int nodes : counts) all.push_back(run(nodes, folder));
    std::printf("%-12s", "stage");
    for (const int nodes : counts) std::printf("%12d nodes", nodes);
    std::printf("   us/node, largest : smallest\n");
    const auto row = [&](const std::string& name, const std::vector<double>& milliseconds) {
      std::printf("%-12s", name.c_str());
      for (const double time : milliseconds) std::printf("%15.1f ms", time);
      const double first = milliseconds.front() / counts.front();
      const double last = milliseconds.back() / counts.back();
      std::printf("   %.2f : %.2f = %.2f\n", last * 1e3, first * 1e3, last / first);
    };
    std::vector<double> sums(counts.size(), 0.0);
    for (std::size_t stage = 0; stage < all.front().stages.size(); ++stage) {
      const std::string& name = all.front().stages[stage].first;
      std::vector<double> milliseconds;
      for (std::size_t i = 0; i < all.size(); ++i) {
        milliseconds.push_back(all[i].stages[stage].second);
        if (!name.starts_with("(")) sums[i] += milliseconds.back();
      }
      row(name, milliseconds);
    }
    row("sum", sums);
    std::printf("%-12s", "int8 file");
    for (const Times& times : all) std::printf("%15.1f MB", times.megabytes);
    std::printf("\n");
  } catch (const qdq::Error& error) {
    std::fprintf(stderr, "bench_node_scaling: %s\n", error.what());
    return 1;
  }
  return 0;
}
