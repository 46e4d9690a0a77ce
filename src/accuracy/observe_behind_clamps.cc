#include <algorithm>
#include <array>

#include "graph/observed_value.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

// What these do to a value, its range does too: quantizing saturates.
bool is_clamp(const Node& node) {
  static constexpr std::array targets = {"aten.relu.default",     "aten.relu_.default",    "aten.relu6.default",
                                         "aten.relu6_.default",   "aten.hardtanh.default", "aten.hardtanh_.default",
                                         "aten.clamp.default",    "aten.clamp_.default",   "aten.clamp_min.default",
                                         "aten.clamp_max.default"};
  return node.kind() == NodeKind::call_function && std::ranges::find(targets, node.target()) != targets.end();
}

// The observer's node right behind `node`, when all that read `node` read it through that.
const Node* sole_observer(const Node& node) {
  if (node.num_users() != 1) return nullptr;
  const Node* user = node.users().front();
  return user->kind() == NodeKind::call_module ? user : nullptr;
}

}  // namespace

AccuracyReport observe_behind_clamps(PreparedProgram& prepared) {
  AccuracyReport report;
  Graph& graph = prepared.program().graph();
  const auto& observers = prepared.observers();
  for (Node& clamp : graph.nodes()) {
    if (!is_clamp(clamp)) continue;
    Node* before = clamp.input(0);
    if (!before || before->kind() != NodeKind::call_module || before->num_users() != 1) continue;
    Node* value = before->input(0);
    const Node* behind = sole_observer(clamp);
    const bool is_shared = behind && observers.at(before->target()) == observers.at(behind->target());
    if (!is_shared || value->num_users() != 1 || value->kind() != NodeKind::call_function) continue;
    clamp.replace_input_with(*before, *value);
    graph.erase(*before);
    ++report.changed;
  }
  return report;
}

}  // namespace qdq
