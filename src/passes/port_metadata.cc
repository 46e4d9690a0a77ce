#include "passes/port_metadata.h"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_set>
#include <vector>

#include "passes/qdq_ops.h"
#include "qdq/quantizer.h"

namespace qdq {
namespace {

constexpr std::array<std::string_view, 2> kPorted = {"stack_trace", "quantization_tag"};

void port(const Node& from, Node& to) {
  for (const std::string_view key : kPorted) to.meta.copy_entry(key, from.meta);
}

// Ops between a weight and its quantize that only rearrange it.
bool is_rearrangement(const Node& node) {
  constexpr std::array<std::string_view, 10> ops = {
      "aten.flatten.using_ints", "aten.permute.default",  "aten.permute_copy.default", "aten.slice_copy.Tensor",
      "aten.squeeze.dim",        "aten.squeeze_copy.dim", "aten.transpose.int",        "aten.transpose_.default",
      "aten.view_copy.default",  "aten.view.default"};
  return node.kind() == NodeKind::call_function && std::find(ops.begin(), ops.end(), node.target()) != ops.end();
}

std::vector<Node*> consumers(const Node& node) {
  std::vector<Node*> users = node.users();
  std::erase_if(users, [](const Node* user) { return is_size_query(*user); });
  return users;
}

// True when `node` is reached from `dq` going back over quantizes, dequantizes and choose_qparams only.
bool leads_back_to(const Node& dq, const Node& node) {
  std::vector<const Node*> work = {&dq};
  std::unordered_set<const Node*> seen;
  while (!work.empty()) {
    const Node* at = work.back();
    work.pop_back();
    if (at == &node) return true;
    const bool passable =
        is_quantize(*at) || is_dequantize(*at) || at->is(kChooseQParams) || at->is("operator.getitem");
    if (!passable || !seen.insert(at).second) continue;
    for (Node* input : at->inputs()) work.push_back(input);
  }
  return false;
}

void port_to_weight_quantize(Node& quantize) {
  std::vector<Node*> chain = {&quantize};
  Node* at = quantize.input(0);
  while (at && is_rearrangement(*at)) {
    chain.push_back(at);
    at = at->input(0);
  }
  if (!at || at->kind() != NodeKind::get_attr) return;
  for (Node* node : chain) port(*at, *node);
}

void port_static_input(const Node& input, Node& node) {
  for (const Argument& argument : node.args()) {
    Node* dq = argument.node();
    if (!dq || !is_dequantize(*dq) || !leads_back_to(*dq, input)) continue;
    port(node, *dq);
    if (Node* quantize = dq->input(0); quantize && is_quantize(*quantize)) port_to_weight_quantize(*quantize);
    return;
  }
}

void port_dynamic_input(const Node& input, const Node& node) {
  std::deque<Node*> work;
  for (Node* user : input.users()) work.push_back(user);
  Node* choose = nullptr;
  std::unordered_set<const Node*> seen;
  while (!work.empty() && !choose) {
    Node* at = work.front();
    work.pop_front();
    if (is_choose_qparams(*at) || at->target() == "torchao.choose_qparams_affine") choose = at;
    if (!seen.insert(at).second) continue;
    for (Node* user : at->users()) work.push_back(user);
  }
  if (!choose)
    throw InvalidArgumentError("[port_metadata] " + node.describe() + " quantizes '" + input.name() +
                               "' dynamically, but no choose_qparams reads it");
  port(node, *choose);
  const std::vector<Node*> items = consumers(*choose);
  if (items.size() != 2)
    throw InternalError("[port_metadata] " + choose->describe() + ": expected scale and zero point to be read");
  const std::vector<Node*> quantizes = items.back()->users();
  if (quantizes.empty()) return;
  port(node, *quantizes[0]);
  for (Node* dq : consumers(*quantizes[0])) port(node, *dq);
}

bool is_dynamic(const QuantizationSpecBase& spec) {
  if (const auto* plain = std::get_if<QuantizationSpec>(&spec)) return plain->is_dynamic;
  if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) return fixed->is_dynamic;
  if (const auto* derived = std::get_if<DerivedQuantizationSpec>(&spec)) return derived->is_dynamic;
  return false;
}

void port_output(const Node& node) {
  const std::vector<Node*> users = consumers(node);
  if (!users.empty() && is_quantize(*users.back())) port(node, *users.back());
}

}  // namespace

int port_metadata(Graph& graph) {
  int served = 0;
  for (Node& node : graph.nodes()) {
    if (!is_valid_annotation(node)) continue;
    ++served;
    for (const auto& [input, spec] : node.annotation->input_qspec_map) {
      if (!has_spec(spec)) continue;
      if (is_dynamic(spec))
        port_dynamic_input(*input, node);
      else
        port_static_input(*input, node);
    }
    if (has_spec(node.annotation->output_qspec)) port_output(node);
  }
  return served;
}

}  // namespace qdq
