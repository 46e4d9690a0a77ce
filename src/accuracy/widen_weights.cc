// 8 bits for the weights of the layers that fewer bits hurt most and that have few of them.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "accuracy/weighted_layers.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

constexpr std::int64_t kLeast = -127;
constexpr std::int64_t kGreatest = 127;

// The nodes whose values depend on a layer's.
std::unordered_set<const Node*> behind_layers(const Graph& graph) {
  std::unordered_set<const Node*> result;
  for (const Node& node : graph.nodes())
    if (std::ranges::any_of(node.inputs(),
                            [&](const Node* input) { return is_weighted(*input) || result.contains(input); }))
      result.insert(&node);
  return result;
}

// The nodes that a layer depends on.
std::unordered_set<const Node*> before_layers(const Graph& graph) {
  std::unordered_set<const Node*> result;
  for (const Node* node = graph.last(); node; node = node->prev())
    if (std::ranges::any_of(node->users(),
                            [&](const Node* user) { return is_weighted(*user) || result.contains(user); }))
      result.insert(node);
  return result;
}

// One input channel for each output: nothing evens the errors of so few products out.
bool is_depthwise(const Node& layer, const Tensor& weight) {
  return is_convolution(layer) && groups_of(layer) > 1 && weight.size(1) == 1;
}

}  // namespace

AccuracyReport widen_weights(PreparedProgram& prepared) {
  AccuracyReport report;
  Program& program = prepared.program();
  const auto behind = behind_layers(program.graph());
  const auto before = before_layers(program.graph());
  std::unordered_map<const Observer*, std::shared_ptr<Observer>> replaced;
  for (const ObservedLayer& layer : observed_layers(program, prepared.observers())) {
    const Observer& narrow = *layer.observer;
    const bool fits = narrow.dtype() == DType::int8 && !narrow.affine() && !narrow.options().scale &&
                      (narrow.quant_min() > kLeast || narrow.quant_max() < kGreatest);
    const bool is_sensitive = !behind.contains(layer.node) || !before.contains(layer.node) ||
                              is_depthwise(*layer.node, program.tensor_of(*layer.weight));
    if (!fits || !is_sensitive) continue;
    ObserverOptions options = narrow.options();
    options.quant_min = kLeast;
    options.quant_max = kGreatest;
    replaced[&narrow] = observer_by_name(narrow.kind())(options);
    ++report.changed;
  }
  auto observers = prepared.observers();
  for (auto& [target, observer] : observers)
    if (const auto found = replaced.find(observer.get()); found != replaced.end()) observer = found->second;
  prepared =
      PreparedProgram(std::move(prepared.program()), std::move(observers), prepared.pass_report(), prepared.warnings());
  return report;
}

}  // namespace qdq
