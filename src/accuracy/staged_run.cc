#include "accuracy/staged_run.h"

#include <algorithm>
#include <span>

#include "accuracy/slice_program.h"
#include "accuracy/weighted_layers.h"
#include "ops/schema.h"
#include "qdq/error.h"
#include "qdq/interrupt.h"

namespace qdq {
namespace {

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

}  // namespace

StagedRun::StagedRun(const Program& program, const CalibrationBatches& batches, const ExecutorOptions& options)
    : program_(program), options_(options), batches_(batches.size()), recomputed_(recomputed_nodes(program.graph())) {
  for (const OutputSpec& output : program.outputs)
    if (output.kind == OutputSpec::Kind::buffer_mutation)
      throw InvalidArgumentError(
          "[accuracy] the program changes its buffer '" + output.target +
          "' in each run, so that batches depend on each other: it cannot be run layer by layer");
  for (const Node& node : program.graph().nodes()) {
    position_[&node] = order_.size();
    order_.push_back(&node);
  }
  for (std::size_t i = order_.size(); i-- > 0;) {
    std::size_t& last = last_use_[order_[i]];
    last = i;
    for (const Node* user : order_[i]->users()) {
      last = std::max(last, position_.at(user));
      if (recomputed_.contains(user)) last = std::max(last, last_use_.at(user));
    }
  }
  const std::vector<Node*> placeholders = program.graph().placeholders();
  for (const auto& batch : batches) {
    if (batch.size() != placeholders.size())
      throw InvalidArgumentError("[accuracy] a batch of " + std::to_string(placeholders.size()) +
                                 " tensors expected, one for each input, found " + std::to_string(batch.size()));
    for (std::size_t i = 0; i < batch.size(); ++i) values_[placeholders[i]->name()].push_back(batch[i]);
  }
}

std::size_t StagedRun::position(const std::string& node) const {
  const Node* found = program_.graph().find(node);
  if (!found) throw InternalError("[accuracy] the program has no node '" + node + "'");
  return position_.at(found);
}

void StagedRun::before(const std::string& node) { run_to(position(node)); }
void StagedRun::through(const std::string& node) { run_to(position(node) + 1); }

std::vector<Tensor>& StagedRun::values(const std::string& node) {
  const auto found = values_.find(node);
  if (found == values_.end()) throw InternalError("[accuracy] the value of '" + node + "' was not kept");
  return found->second;
}

std::vector<Tensor> StagedRun::values_ahead(const std::string& node) {
  std::vector<const Node*> nodes;
  std::vector<const Node*> work = {order_[position(node)]};
  while (!work.empty()) {
    const Node* next = work.back();
    work.pop_back();
    if (values_.contains(next->name()) || recomputed_.contains(next)) continue;
    const OpSchema* schema = find_schema(next->target());
    if (takes_bias(*next) || (schema && schema->mutates()) || position_.at(next) < done_) return {};
    if (std::ranges::find(nodes, next) != nodes.end()) continue;
    nodes.push_back(next);
    for (const Node* input : next->inputs()) work.push_back(input);
  }
  if (nodes.empty()) return values(node);
  std::ranges::sort(nodes, {}, [&](const Node* each) { return position_.at(each); });
  std::vector<Tensor> result;
  for (const std::vector<Tensor>& batch : run(nodes, {node})) result.push_back(batch.front());
  return result;
}

std::vector<std::vector<Tensor>> StagedRun::run(const std::vector<const Node*>& nodes,
                                                const std::vector<std::string>& results) {
  const ProgramSlice slice = slice_program(program_, recomputed_, nodes, results);
  const auto executor = make_executor(slice.program, options_);
  std::vector<std::vector<Tensor>> outputs;
  for (std::size_t batch = 0; batch < batches_; ++batch) {
    check_interrupt();
    std::vector<Tensor> inputs;
    for (const std::string& name : slice.inputs) inputs.push_back(values(name).at(batch));
    outputs.push_back(executor->run(inputs));
  }
  return outputs;
}

void StagedRun::run_to(std::size_t end) {
  std::vector<const Node*> nodes;
  std::vector<std::string> results;
  for (; done_ < end; ++done_) {
    const Node& node = *order_[done_];
    if (node.kind() == NodeKind::placeholder || node.is_output() || recomputed_.contains(&node)) continue;
    nodes.push_back(&node);
    if (is_needed(node, end) || done_ + 1 == end) results.push_back(node.name());
    // What it writes to in place holds other values from here on.
    const OpSchema* schema = find_schema(node.target());
    const Node* written = schema && schema->mutates() ? node.input(0) : nullptr;
    if (written && !recomputed_.contains(written) && is_needed(*written, end)) add_once(results, written->name());
  }
  if (!nodes.empty()) {
    const auto outputs = run(nodes, results);
    for (std::size_t i = 0; i < results.size(); ++i) {
      std::vector<Tensor>& all = values_[results[i]];
      all.clear();
      for (const std::vector<Tensor>& batch : outputs) all.push_back(batch[i]);
    }
  }
  std::erase_if(values_, [&](const auto& entry) {
    const Node& node = *program_.graph().find(entry.first);
    return !is_needed(node, end) && position_.at(&node) + 1 != end;
  });
}

}  // namespace qdq
