#include "passes/constant_values.h"

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

}  // namespace

ConstantValues::ConstantValues(const Program& program, const Evaluate& evaluate)
    : program_(program), evaluate_(evaluate), mutable_state_(mutable_state(program.graph())) {}

// Depth first without recursion: constant chains can be long.
bool ConstantValues::is_constant(Node& node) {
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

bool ConstantValues::may_be_constant(const Node& node) const {
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

const std::vector<Value>& ConstantValues::of(Node& node) {
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

Call ConstantValues::call_of(const Node& node) const {
  return bind(node, *find_schema(node.target()), [&](const Node& input) -> Value {
    const std::vector<Value>& results = values_.at(&input);
    return results.size() == 1 ? results[0] : Value(Value::List(results));
  });
}

}  // namespace qdq
