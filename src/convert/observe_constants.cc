#include "convert/observe_constants.h"

#include <optional>

#include "base/mistake.h"
#include "graph/observed_value.h"
#include "observers/observer_table.h"

namespace qdq {
namespace {

using Observers = std::map<std::string, std::shared_ptr<Observer>>;

Observer* observer_of(const Node& node, const ObserverTable& observers) {
  return node.kind() == NodeKind::call_module ? observers.find(node.target()) : nullptr;
}

}  // namespace

int observe_constants(const Program& program, const Observers& observers, const Evaluate& evaluate) {
  const ObserverTable table(observers);
  std::optional<ConstantValues> constants;  // looks at the whole program: made for the first observer that needs it
  int observed = 0;
  for (Node& node : program.graph().nodes()) {
    Observer* observer = observer_of(node, table);
    if (!observer || observer->has_observed()) continue;
    Node& value = observed_value(node);
    if (!constants) constants.emplace(program, evaluate);
    if (constants->is_constant(value)) {
      observer->observe(std::get<Tensor>(constants->of(value).at(0).v));
      constants->forget();
      ++observed;
    } else if (!observer->is_dynamic()) {
      refuse("convert",
             {value.describe(), "its observer (" + std::string(observer->kind()) + ") has seen no values",
              "static quantization chooses the scale of an activation from data",
              "calibrate the prepared program on typical inputs before converting it, or give the place a dynamic "
              "spec"});
    }
  }
  return observed;
}

const Node* find_uncalibrated(const Program& program, const Observers& observers) {
  const ObserverTable table(observers);
  const Evaluate never;  // asking which nodes are constant computes none
  ConstantValues constants(program, never);
  for (Node& node : program.graph().nodes()) {
    const Observer* observer = observer_of(node, table);
    if (!observer || observer->has_observed() || observer->is_dynamic()) continue;
    Node& value = observed_value(node);
    if (!constants.is_constant(value)) return &value;
  }
  return nullptr;
}

}  // namespace qdq
