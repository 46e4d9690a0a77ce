#include "passes/eliminate_dead_code.h"

#include <algorithm>
#include <array>

#include "ops/schema.h"

namespace qdq {
namespace {

// Ops without results of interest that must run all the same.
constexpr std::array<std::string_view, 6> kEffectful = {"operator.setitem",
                                                        "aten._assert_async.msg",
                                                        "aten._assert_async.default",
                                                        "aten._assert_scalar.default",
                                                        "aten.sym_constrain_range.default",
                                                        "aten.sym_constrain_range_for_size.default"};

// Namespaces whose ops, where ops/ has no row for them, follow ATen's naming: what writes to its arguments ends in '_' or has an "out" overload.
constexpr std::array<std::string_view, 7> kOrderly = {
    "aten.", "operator.", "math.", "torch.", "prims.", "quantized_decomposed.", "torchao."};

bool writes_by_its_name(std::string_view target) {
  const auto dot = target.find('.');
  const auto overload_dot = target.find('.', dot + 1);
  const std::string_view op =
      target.substr(dot + 1, overload_dot == std::string_view::npos ? overload_dot : overload_dot - dot - 1);
  const std::string_view overload = overload_dot == std::string_view::npos ? "" : target.substr(overload_dot + 1);
  const bool in_place = op.ends_with('_') && !op.ends_with("__");
  return in_place || overload == "out" || overload.ends_with("_out");
}

bool body_has_effects(const Node& node) {
  bool found = false;
  const auto look = [&](const Argument& argument, auto&& self) -> void {
    if (const auto* sub = argument.get_if<Argument::Subgraph>(); sub && sub->graph)
      for (const Node& inner : sub->graph->nodes())
        found |= inner.kind() != NodeKind::placeholder && !inner.is_output() && has_effects(inner);
    if (const auto* list = argument.list())
      for (const Argument& item : *list) self(item, self);
  };
  for (const Argument& argument : node.args()) look(argument, look);
  for (const auto& [key, argument] : node.kwargs()) look(argument, look);
  return found;
}

}  // namespace

bool has_effects(const Node& node) {
  if (node.kind() == NodeKind::placeholder || node.is_output()) return true;
  if (node.kind() != NodeKind::call_function) return false;
  const std::string& target = node.target();
  if (std::find(kEffectful.begin(), kEffectful.end(), target) != kEffectful.end() ||
      target.find("_assert_") != std::string::npos)
    return true;
  if (target.starts_with("higher_order.")) return body_has_effects(node);
  if (const OpSchema* schema = find_schema(target))
    return schema->mutates() || schema->traits.is_random || schema->traits.is_assertion;
  const bool orderly =
      std::any_of(kOrderly.begin(), kOrderly.end(), [&](auto space) { return target.starts_with(space); });
  return !orderly || writes_by_its_name(target);
}

int eliminate_dead_code(Graph& graph) {
  int removed = 0;
  walk_subgraphs(graph, [&](Graph& current) {
    // Backwards: what only a dead node used is dead when its turn comes.
    Node* previous = nullptr;
    for (Node* node = current.last(); node; node = previous) {
      previous = node->prev();
      if (node->num_users() > 0 || has_effects(*node)) continue;
      current.erase(*node);
      ++removed;
    }
  });
  return removed;
}

}  // namespace qdq
