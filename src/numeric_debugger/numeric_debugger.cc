#include "qdq/numeric_debugger.h"

#include <utility>

#include "numeric_debugger/cut_program.h"

namespace qdq {
namespace {

std::vector<std::string> names_of(const std::vector<NodePair>& pairs, std::string NodePair::*member) {
  std::vector<std::string> names;
  for (const NodePair& pair : pairs) names.push_back(pair.*member);
  return names;
}

}  // namespace

struct NumericDebugger::State {
  State(const Program& reference, const Program& other, const NumericDebuggerOptions& options)
      : pairs(matching_nodes(reference, other)),
        first(make_executor(reference, options.executor)),
        second(make_executor(other, options.executor)) {
    for (const NodePair& pair : pairs) {
      NodeAccuracy& node = nodes.emplace_back();
      node.nodes = pair;
      node.nn_module_stack = reference.graph().find(pair.reference)->meta.get("nn_module_stack");
    }
    first->keep_values(names_of(pairs, &NodePair::reference));
    second->keep_values(names_of(pairs, &NodePair::other));
    if (!options.own_errors || pairs.empty()) return;
    cut = cut_program(other, names_of(pairs, &NodePair::other));
    alone = make_executor(*cut, options.executor);
  }

  static const Tensor& value(const Executor& executor, const std::string& node) {
    const Tensor* kept = executor.kept_value(node);
    if (!kept) throw InternalError("the run kept no value of '" + node + "'");
    return *kept;
  }
  const Tensor& expected(const NodePair& pair) const { return value(*first, pair.reference); }

  // What each op makes of the values that `first` has just computed.
  void add_own_errors(std::vector<Tensor> inputs) {
    for (const NodePair& pair : pairs) inputs.push_back(expected(pair));
    const std::vector<Tensor> values = alone->run(inputs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (!nodes[i].own) nodes[i].own.emplace();
      nodes[i].own->add(expected(pairs[i]), values[i]);
    }
  }

  std::vector<NodePair> pairs;
  std::vector<NodeAccuracy> nodes;
  std::unique_ptr<Executor> first;
  std::unique_ptr<Executor> second;
  std::optional<Program> cut;
  std::unique_ptr<Executor> alone;  // runs `cut`
};

NumericDebugger::NumericDebugger(const Program& reference, const Program& other, const NumericDebuggerOptions& options)
    : state_(std::make_unique<State>(reference, other, options)) {}
NumericDebugger::~NumericDebugger() = default;

NumericDebugger::Results NumericDebugger::add(const std::vector<Tensor>& inputs) {
  Results results;
  results.reference = state_->first->run(inputs);
  results.other = state_->second->run(inputs);
  for (NodeAccuracy& node : state_->nodes)
    node.total.add(state_->expected(node.nodes), State::value(*state_->second, node.nodes.other));
  if (state_->alone) state_->add_own_errors(inputs);
  return results;
}

const std::vector<NodeAccuracy>& NumericDebugger::nodes() const { return state_->nodes; }

}  // namespace qdq
