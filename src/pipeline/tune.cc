#include "qdq/tune.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace qdq {
namespace {

bool is_dequantize(const Node& node) { return node.target().starts_with("quantized_decomposed.dequantize_"); }
bool is_quantize(const Node& node) { return node.target().starts_with("quantized_decomposed.quantize_"); }
bool is_op(const Node& node) {
  return node.kind() == NodeKind::call_function && !is_quantize(node) && !is_dequantize(node);
}

// Which nodes are computed together: an op that reads dequantized values, their dequantize nodes, and what lies behind it up to
// the quantize nodes. Regions that meet are one.
class Regions {
 public:
  explicit Regions(const Program& program) : graph_(program.graph()) {
    for (const Node& node : graph_.nodes()) {
      if (!is_op(node)) continue;
      for (const Node* input : node.inputs())
        if (is_dequantize(*input)) join(*input, node);
      if (is_root(node)) follow(node);
    }
  }

  // The node that stands for the region of `node`, or null.
  const Node* of(const Node& node) const {
    const auto found = parents_.find(&node);
    if (found == parents_.end()) return nullptr;
    const Node* at = found->first;
    while (parents_.at(at) != at) at = parents_.at(at);
    return at;
  }

  void join(const Node& a, const Node& b) {
    for (const Node* node : {&a, &b}) parents_.emplace(node, node);
    parents_[of(a)] = of(b);
  }

  static bool is_root(const Node& node) {
    const auto inputs = node.inputs();
    return is_op(node) && std::any_of(inputs.begin(), inputs.end(), [](const Node* input) {
             return is_dequantize(*input) && input->input(0) && input->input(0)->kind() != NodeKind::get_attr;
           });
  }

 private:
  // Behind an op follow those that nobody else sees the input of, and the quantize nodes.
  void follow(const Node& root) {
    for (const Node* node = &root;;) {
      const Node* next = nullptr;
      for (const Node* user : node->users()) {
        if (is_quantize(*user))
          join(*node, *user);
        else if (is_op(*user))
          next = node->num_users() == 1 ? user : nullptr;
      }
      if (!next) return;
      join(*node, *next);
      node = next;
    }
  }

  const Graph& graph_;
  std::unordered_map<const Node*, const Node*> parents_;
};

using Seconds = std::unordered_map<const Node*, double>;  // by node, of one run

Seconds seconds_by_node(const Program& program, const std::vector<StepTime>& steps) {
  Seconds seconds;
  for (const StepTime& step : steps)
    if (const Node* node = program.graph().find(step.node.substr(0, step.node.find('.'))))
      seconds[node] += step.seconds;
  return seconds;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Times of the regions' steps in repeated runs of one executor.
class Stopwatch {
 public:
  Stopwatch(const Program& program, const ExecutorOptions& options, const std::vector<Tensor>& inputs)
      : program_(program), executor_(make_executor(program, options)) {
    executor_->run(inputs);
    executor_->set_profiling(true);
  }

  void run(const std::vector<Tensor>& inputs) {
    executor_->run(inputs);
    runs_.push_back(seconds_by_node(program_, executor_->step_times()));
  }

  bool computes(const Node& node) const { return runs_.front().contains(&node); }

  double seconds_of(const std::vector<const Node*>& nodes) const {
    std::vector<double> sums;
    for (const Seconds& seconds : runs_) {
      double& sum = sums.emplace_back();
      for (const Node* node : nodes)
        if (const auto found = seconds.find(node); found != seconds.end()) sum += found->second;
    }
    return median(std::move(sums));
  }

 private:
  const Program& program_;
  std::unique_ptr<Executor> executor_;
  std::vector<Seconds> runs_;
};

// The nodes of every region, in graph order, by the node that stands for it.
std::vector<std::vector<const Node*>> nodes_of(const Program& program, const Regions& regions) {
  std::vector<std::vector<const Node*>> all;
  std::unordered_map<const Node*, std::size_t> index;
  for (const Node& node : program.graph().nodes()) {
    const Node* region = regions.of(node);
    if (!region) continue;
    const auto [found, is_new] = index.emplace(region, all.size());
    if (is_new) all.emplace_back();
    all[found->second].push_back(&node);
  }
  return all;
}

// Where the engine computes a region within the next one's step (attention), both are one.
void join_fused(const Program& program, const Stopwatch& int8, Regions& regions) {
  for (const auto& nodes : nodes_of(program, regions)) {
    if (std::any_of(nodes.begin(), nodes.end(), [&](const Node* node) { return int8.computes(*node); })) continue;
    for (const Node* node : nodes)
      if (is_quantize(*node))
        for (const Node* user : node->users())
          if (regions.of(*user)) regions.join(*node, *user);
  }
}

}  // namespace

std::vector<TunedRegion> tune(Program& program, const std::vector<Tensor>& inputs, const ExecutorOptions& options,
                              int runs) {
  for (Node& node : program.graph().nodes()) node.meta.erase(kRunInFloat);
  ExecutorOptions simulated = options;
  simulated.simulate_quantization = true;
  Stopwatch int8(program, options, inputs), floats(program, simulated, inputs);
  for (int i = 0; i < std::max(runs, 1); ++i) {
    int8.run(inputs);
    floats.run(inputs);
  }
  Regions regions(program);
  join_fused(program, int8, regions);
  std::vector<TunedRegion> tuned;
  for (const auto& nodes : nodes_of(program, regions)) {
    TunedRegion region;
    for (const Node* node : nodes)
      if (Regions::is_root(*node)) region.ops.push_back(node->name());
    if (region.ops.empty()) continue;
    region.int8_seconds = int8.seconds_of(nodes);
    region.float_seconds = floats.seconds_of(nodes);
    region.in_int8 = region.int8_seconds <= region.float_seconds;
    if (!region.in_int8)
      for (const std::string& op : region.ops)
        program.graph().find(op)->meta.set(kRunInFloat, "it is faster in float on the machine that it was tuned on");
    tuned.push_back(std::move(region));
  }
  return tuned;
}

}  // namespace qdq
