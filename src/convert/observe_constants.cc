#include "convert/observe_constants.h"

#include "qdq/error.h"

namespace qdq {
namespace {

using Observers = std::map<std::string, std::shared_ptr<Observer>>;

Observer* observer_of(const Node& node, const Observers& observers) {
  if (node.kind() != NodeKind::call_module) return nullptr;
  const auto found = observers.find(node.target());
  return found == observers.end() ? nullptr : found->second.get();
}

// The tensor before any observers.
Node& observed_value(Node& call, const Observers& observers) {
  Node* at = &call;
  while (observer_of(*at, observers) && at->input(0)) at = at->input(0);
  return *at;
}

}  // namespace

int observe_constants(const Program& program, const Observers& observers, const Evaluate& evaluate) {
  ConstantValues constants(program, evaluate);
  int observed = 0;
  for (Node& node : program.graph().nodes()) {
    Observer* observer = observer_of(node, observers);
    if (!observer || observer->has_observed()) continue;
    Node& value = observed_value(node, observers);
    if (constants.is_constant(value)) {
      observer->observe(std::get<Tensor>(constants.of(value).at(0).v));
      constants.forget();
      ++observed;
    } else if (!observer->is_dynamic()) {
      throw InvalidArgumentError(
          "[convert] " + value.describe() + ": its observer (" + std::string(observer->kind()) +
          ") has seen no values" +
          "\n  rule: static quantization chooses the scale of an activation from data"
          "\n  remedy: calibrate the prepared program on typical inputs before converting it, or "
          "give the place a dynamic spec");
    }
  }
  return observed;
}

}  // namespace qdq
