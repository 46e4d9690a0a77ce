#include "reference/interpreter.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>

#include "qdq/program.h"
#include "reference/higher_order.h"
#include "reference/inputs.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

// The attribute that a get_attr node reads, the value of every other node.
using Environment = std::unordered_map<const Node*, Value>;

// Why the interpreter cannot run `node`; empty when it can.
std::string why_unsupported(const Node& node) {
  if (node.kind() != NodeKind::call_function || has_kernel(node.target())) return "";
  if (is_run_higher_order(node.target())) return "";
  if (node.target().starts_with("higher_order.")) return "this higher-order operator is not run";
  if (const OpSchema* schema = find_schema(node.target()); schema && schema->traits.is_random)
    return "it draws random numbers, which differ from torch's";
  return "no reference kernel for this operator";
}

void check_supported(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    const std::string why = why_unsupported(node);
    if (!why.empty()) throw UnsupportedOpError("[run] " + node.describe() + ": " + why);
    for (const Argument& argument : node.args())
      if (const auto* subgraph = argument.get_if<Argument::Subgraph>(); subgraph && subgraph->graph)
        check_supported(*subgraph->graph);
  }
}

bool writes_anything(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    const OpSchema* schema = find_schema(node.target());
    if (node.kind() == NodeKind::call_function && schema && schema->mutates()) return true;
    for (const Argument& argument : node.args())
      if (const auto* subgraph = argument.get_if<Argument::Subgraph>();
          subgraph && subgraph->graph && writes_anything(*subgraph->graph))
        return true;
  }
  return false;
}

class ReferenceExecutor : public Executor {
 public:
  ReferenceExecutor(const Program& program, bool refuses_nan, bool writable_observations)
      : program_(program), refuses_nan_(refuses_nan), writable_observations_(writable_observations) {
    check_supported(program.graph());
    writes_ = writes_anything(program.graph()) ||
              std::any_of(program.outputs.begin(), program.outputs.end(),
                          [](const OutputSpec& spec) { return spec.kind == OutputSpec::Kind::buffer_mutation; });
    adopt_attributes();
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    kept_.clear();
    if (profiling_) times_.clear();
    begin_ = Clock::now();
    std::vector<Value> values = bind_inputs(program_, inputs);
    if (refuses_nan_) refuse_nan(program_.graph().placeholders(), tensors_of(values));
    if (writes_)
      for (Value& value : values)
        if (const Tensor* tensor = value.tensor()) value = tensor->clone();
    return finish(run_graph(program_.graph(), std::move(values)));
  }

  void run_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) override {
    std::vector<Tensor> results = run(inputs);
    outputs.resize(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      Tensor& output = outputs[i];
      const Tensor& result = results[i];
      const bool fits =
          output.defined() && result.defined() && output.dtype() == result.dtype() && output.sizes() == result.sizes();
      if (fits)
        output.copy_from(result);
      else
        output = result;
    }
  }

  void set_observe(ObserveFn observe) override { observe_ = std::move(observe); }

  void keep_values(std::vector<std::string> nodes) override { keep_ = {nodes.begin(), nodes.end()}; }

  const Tensor* kept_value(const std::string& node) const override {
    const auto found = kept_.find(node);
    return found == kept_.end() ? nullptr : &found->second;
  }

  void set_profiling(bool on) override { profiling_ = on; }
  std::vector<StepTime> step_times() const override { return times_; }
  std::vector<ExecutionNote> notes() const override { return {}; }

  // An op that writes may write to a buffer, directly or through a view.
  std::unique_ptr<Executor> fork() const override {
    return writes_ && !own_.empty()
               ? nullptr
               : std::make_unique<ReferenceExecutor>(program_, refuses_nan_, writable_observations_);
  }
  std::unique_ptr<Executor> fork(const ExecutorOptions&) const override { return fork(); }  // it has one thread

 private:
  using Clock = std::chrono::steady_clock;

  // Buffers of a program that writes get memory of their own, shared where they share it in the program. Everything else
  // is read where it lies and must not be written.
  void adopt_attributes() {
    std::unordered_map<const Storage*, std::shared_ptr<Storage>> copies;
    for (const Attribute& attribute : program_.attributes) {
      if (!attribute.value.defined()) continue;
      const Tensor& value = attribute.value;
      if (attribute.kind != AttributeKind::buffer || !writes_) {
        attributes_[attribute.name] = value;
        read_only_.insert(value.storage().get());
        continue;
      }
      auto& copy = copies[value.storage().get()];
      if (!copy) {
        copy = Storage::allocate(value.storage()->size());
        std::copy_n(value.storage()->data(), value.storage()->size(), copy->data());
      }
      attributes_[attribute.name] = Tensor(copy, value.dtype(), value.sizes(), value.strides(), value.storage_offset());
      own_.insert(copy.get());
    }
  }

  // The values of the output node's list. `inputs` are those of the placeholders, in order.
  Value::List run_graph(const Graph& graph, std::vector<Value> inputs) {
    Environment environment;
    const auto last_use = last_uses(graph);
    std::size_t next_input = 0;
    for (const Node& node : graph.nodes()) {
      if (node.is_output()) return results(node, environment);
      Value value;
      if (node.kind() == NodeKind::placeholder) {
        if (next_input == inputs.size())
          throw InvalidArgumentError("[run] " + node.describe() + ": too few values for a sub-graph");
        value = std::move(inputs[next_input++]);
      } else {
        value = profiling_ ? run_profiled(node, environment) : run_node(node, environment);
      }
      if (const Tensor* tensor = value.tensor(); tensor && keep_.contains(node.name()))
        kept_[node.name()] = tensor->clone();
      environment[&node] = std::move(value);
      for (const Node* input : node.inputs())
        if (last_use.at(input) == &node) environment.erase(input);
      if (node.num_users() == 0) environment.erase(&node);
    }
    return {};
  }

  static std::unordered_map<const Node*, const Node*> last_uses(const Graph& graph) {
    std::unordered_map<const Node*, const Node*> result;
    for (const Node& node : graph.nodes())
      for (const Node* input : node.inputs()) result[input] = &node;
    return result;
  }

  // Ops of sub-graphs are steps of their own; the higher-order op around them is none.
  Value run_profiled(const Node& node, const Environment& environment) {
    const double start = elapsed();
    Value value = run_node(node, environment);
    if (node.kind() == NodeKind::call_function && find_schema(node.target()))
      times_.push_back({node.name(), "reference:" + node.target(), start, elapsed() - start});
    return value;
  }

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  Value run_node(const Node& node, const Environment& environment) {
    switch (node.kind()) {
      case NodeKind::get_attr: return attribute(node);
      case NodeKind::call_module: return observe(node, environment);
      default: break;
    }
    if (is_run_higher_order(node.target()))
      return run_higher_order(
          node, {[&](const Argument& argument) { return value_of(argument, environment); },
                 [&](const Graph& graph, Value::List values) { return run_graph(graph, std::move(values)); }});
    const OpSchema& schema = *find_schema(node.target());
    const Call call = bind(node, schema, [&](const Node& producer) { return environment.at(&producer); });
    if (schema.mutates()) refuse_read_only(call);
    std::vector<Value> values = evaluate(call);
    if (schema.returns.empty()) return {};
    return schema.returns.size() == 1 ? std::move(values.front()) : Value(Value::List(values.begin(), values.end()));
  }

  Value attribute(const Node& node) const {
    const auto found = attributes_.find(node.target());
    if (found == attributes_.end())
      throw InvalidArgumentError("[run] " + node.describe() + ": the program has no tensor of that name");
    return found->second;
  }

  Value observe(const Node& node, const Environment& environment) const {
    const Node* input = node.input(0);
    if (!input) throw InvalidArgumentError("[run] " + node.describe() + ": an observer of a node expected");
    Value value = environment.at(input);
    if (writable_observations_ && value.tensor()) value = value.tensor()->clone();
    if (observe_ && value.tensor()) observe_(node.target(), *value.tensor());
    return value;
  }

  static Value value_of(const Argument& argument, const Environment& environment) {
    if (const Node* node = argument.node()) return environment.at(node);
    if (const auto* number = argument.get_if<std::int64_t>()) return *number;
    if (const auto* number = argument.get_if<double>()) return *number;
    if (const auto* flag = argument.get_if<bool>()) return *flag;
    if (const auto* list = argument.list()) {
      Value::List values;
      for (const Argument& item : *list) values.push_back(value_of(item, environment));
      return Value(std::move(values));
    }
    return {};
  }

  static Value::List results(const Node& output, const Environment& environment) {
    Value::List values;
    const auto* list = output.args().empty() ? nullptr : output.args()[0].list();
    if (list) {
      for (const Argument& argument : *list) values.push_back(value_of(argument, environment));
    } else if (!output.args().empty()) {
      values.push_back(value_of(output.args()[0], environment));
    }
    return values;
  }

  void refuse_read_only(const Call& call) const {
    for (const ArgSchema& arg : call.schema().args) {
      const Tensor* tensor = arg.is_written ? call.arg(arg.name).tensor() : nullptr;
      if (tensor && read_only_.contains(tensor->storage().get()))
        call.fail("it would write into a parameter or constant of the program");
    }
  }

  // Writes mutations back and returns what the user gets, in memory that no later run changes.
  std::vector<Tensor> finish(const Value::List& values) {
    std::vector<Tensor> outputs;
    std::vector<std::pair<const Tensor*, const Tensor*>> written;  // buffer, new value
    for (std::size_t i = 0; i < values.size(); ++i) {
      const OutputSpec spec = i < program_.outputs.size() ? program_.outputs[i] : OutputSpec{};
      if (spec.kind == OutputSpec::Kind::buffer_mutation) {
        const auto buffer = attributes_.find(spec.target);
        if (buffer == attributes_.end() || !values[i].tensor())
          throw InvalidArgumentError("[run] the program writes to '" + spec.target + "', which is not a buffer");
        written.emplace_back(&buffer->second, values[i].tensor());
      } else if (spec.kind == OutputSpec::Kind::user_output || spec.kind == OutputSpec::Kind::loss_output) {
        outputs.push_back(user_output(values[i]));
      }
    }
    for (const auto& [buffer, value] : written) buffer->copy_from(*value);
    return outputs;
  }

  Tensor user_output(const Value& value) const {
    if (const Tensor* tensor = value.tensor()) {
      const Storage* storage = tensor->storage().get();
      return own_.contains(storage) || read_only_.contains(storage) ? tensor->clone() : *tensor;
    }
    if (const auto* number = std::get_if<std::int64_t>(&value.v)) return Tensor::scalar(*number);
    if (const auto* number = std::get_if<double>(&value.v)) return Tensor::scalar(*number);
    if (const auto* flag = std::get_if<bool>(&value.v)) return Tensor::scalar(*flag);
    return {};
  }

  static std::vector<Tensor> tensors_of(const std::vector<Value>& values) {
    std::vector<Tensor> tensors;
    for (const Value& value : values) tensors.push_back(value.tensor() ? *value.tensor() : Tensor());
    return tensors;
  }

  const Program& program_;
  bool refuses_nan_;
  bool writable_observations_;
  bool writes_ = false;
  std::unordered_map<std::string, Tensor> attributes_;
  std::unordered_set<const Storage*> read_only_;
  std::unordered_set<const Storage*> own_;  // buffers, which live on between runs
  ObserveFn observe_;
  std::unordered_set<std::string> keep_;
  std::unordered_map<std::string, Tensor> kept_;
  bool profiling_ = false;
  Clock::time_point begin_;
  std::vector<StepTime> times_;
};

}  // namespace

std::unique_ptr<Executor> make_reference_executor(const Program& program, const ExecutorOptions& options) {
  return std::make_unique<ReferenceExecutor>(program, options.refuse_nan, options.writable_observations);
}

}  // namespace qdq
