#include "passes/fold_constants.h"

#include <unordered_map>
#include <unordered_set>

#include "ops/schema.h"
#include "passes/qdq_ops.h"

namespace qdq {
namespace {

// Buffers (and views of them) that some node writes to: reading them gives another value each time.
std::unordered_set<const Node*> mutable_state(const Graph& graph) {
  std::unordered_set<const Node*> result;
  for (Node& node : graph.nodes()) {
    const OpSchema* schema = node.kind() == NodeKind::call_function ? find_schema(node.target()) : nullptr;
    if (!schema || !schema->mutates() || !node.input(0)) continue;
    std::vector<Node*> chain;
    std::unordered_set<const Node*> seen;
    std::vector<Node*> work = {node.input(0)};
    bool depends_on_input = false;
    while (!work.empty()) {
      Node* at = work.back();
      work.pop_back();
      if (!seen.insert(at).second) continue;
      depends_on_input |= at->kind() == NodeKind::placeholder;
      chain.push_back(at);
      for (Node* input : at->inputs()) work.push_back(input);
    }
    if (!depends_on_input) result.insert(chain.begin(), chain.end());
  }
  return result;
}

class Folder {
 public:
  Folder(Program& program, const Evaluate& evaluate)
      : program_(program), evaluate_(evaluate), mutable_state_(mutable_state(program.graph())) {}

  int run() {
    int folded = 0;
    for (Node& node : program_.graph().nodes()) {
      if (!is_quantize(node) || !is_constant(node)) continue;
      freeze(node);
      ++folded;
    }
    return folded;
  }

 private:
  // Whether the value of `node` is the same in every run. Walks producers depth first without recursion: constant chains
  // can be long.
  bool is_constant(Node& node) {
    std::vector<Node*> work = {&node};
    while (!work.empty()) {
      Node* at = work.back();
      if (known_.contains(at)) {
        work.pop_back();
        continue;
      }
      bool constant = may_be_constant(*at);
      bool waiting = false;
      for (Node* input : at->inputs()) {
        if (!constant) break;
        const auto found = known_.find(input);
        if (found == known_.end()) {
          work.push_back(input);
          waiting = true;
        } else {
          constant = found->second;
        }
      }
      if (waiting && constant) continue;
      known_[at] = constant;
    }
    return known_.at(&node);
  }

  bool may_be_constant(const Node& node) const {
    if (mutable_state_.contains(&node)) return false;
    if (node.kind() == NodeKind::get_attr) {
      const Attribute* attribute = program_.attributes.find(node.target());
      return attribute && attribute->value.defined();
    }
    if (node.kind() != NodeKind::call_function || is_dequantize(node) || node.is(kConvertElementType) ||
        node.inputs().empty())
      return false;
    const OpSchema* schema = find_schema(node.target());
    return schema && !schema->mutates() && !schema->traits.is_random;
  }

  const std::vector<Value>& values_of(Node& node) {
    std::vector<Node*> work = {&node};
    while (!work.empty()) {
      Node* at = work.back();
      if (values_.contains(at)) {
        work.pop_back();
        continue;
      }
      bool ready = true;
      for (Node* input : at->inputs())
        if (!values_.contains(input)) {
          work.push_back(input);
          ready = false;
        }
      if (!ready) continue;
      values_[at] =
          at->kind() == NodeKind::get_attr ? std::vector<Value>{program_.tensor_of(*at)} : evaluate_(call_of(*at));
    }
    return values_.at(&node);
  }

  Call call_of(const Node& node) const {
    return bind(node, *find_schema(node.target()), [&](const Node& input) -> Value {
      const std::vector<Value>& results = values_.at(&input);
      return results.size() == 1 ? results[0] : Value(Value::List(results));
    });
  }

  void freeze(Node& quantize) {
    Attribute frozen;
    frozen.name = program_.attributes.unused_name("_frozen_param");
    frozen.kind = AttributeKind::buffer;
    frozen.value = std::get<Tensor>(values_of(quantize).at(0).v);
    Node& constant = [&]() -> Node& {
      auto at = program_.graph().inserting_before(quantize);
      return program_.add_attribute(std::move(frozen));
    }();
    constant.meta = quantize.meta;
    const std::string name = quantize.name();
    quantize.replace_all_uses_with(constant);
    program_.graph().erase(quantize);
    program_.graph().rename(constant, name);
    // Large intermediate values are not needed again unless another chain shares them.
    values_.clear();
  }

  Program& program_;
  const Evaluate& evaluate_;
  std::unordered_set<const Node*> mutable_state_;
  std::unordered_map<const Node*, bool> known_;
  std::unordered_map<const Node*, std::vector<Value>> values_;
};

}  // namespace

int fold_constants(Program& program, const Evaluate& evaluate) { return Folder(program, evaluate).run(); }

int remove_dead_attributes(Program& program) {
  std::unordered_set<std::string> read;
  for (Node& node : program.graph().nodes()) {
    if (node.kind() != NodeKind::get_attr) continue;
    if (node.num_users() == 0)
      program.graph().erase(node);
    else
      read.insert(node.target());
  }
  for (const OutputSpec& output : program.outputs)
    if (output.kind == OutputSpec::Kind::buffer_mutation || output.kind == OutputSpec::Kind::parameter_mutation)
      read.insert(output.target);
  std::vector<std::string> dead;
  for (const Attribute& attribute : program.attributes)
    if (!read.contains(attribute.name)) dead.push_back(attribute.name);
  for (const std::string& name : dead) program.attributes.erase(name);
  return static_cast<int>(dead.size());
}

}  // namespace qdq
