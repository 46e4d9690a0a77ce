#include "calibrate/turns.h"

#include "graph/observed_value.h"
#include "qdq/error.h"

namespace qdq {

Turns::Turns(const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers) {
  add_points(graph, observers, false);
  for (const auto& [target, repeated] : find_repeated_values(graph, observers)) points_.at(target).repeated = repeated;
}

void Turns::add_points(const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers,
                       bool is_conditional) {
  for (const Node& node : graph.nodes()) {
    for (const Argument& argument : node.args())
      if (const auto* body = argument.get_if<Argument::Subgraph>(); body != nullptr && body->graph)
        add_points(*body->graph, observers, true);
    if (node.kind() != NodeKind::call_module) continue;
    const auto found = observers.find(node.target());
    if (found == observers.end()) continue;
    auto& stop = stops_[found->second.get()];
    if (!stop) stop = std::make_unique<Stop>();
    stop->observer = found->second;
    ++stop->nodes;
    stop->is_conditional = stop->is_conditional || is_conditional;
    const Node* input = node.input(0);
    const bool is_weight = input != nullptr && input->kind() == NodeKind::get_attr;
    const bool once = is_weight && stop->observer->is_idempotent();
    const auto [point, is_new] =
        points_.try_emplace(node.target(), Point{stop.get(), &observed_value(node), once, false, std::nullopt});
    point->second.once = point->second.once && once && is_new;
  }
}

void Turns::restart() {
  failed_ = kNone;
  for (auto& [observer, stop] : stops_) {
    const std::lock_guard lock(stop->mutex);
    stop->turn = 0;
    stop->visits = 0;
  }
}

void Turns::observe(std::int64_t batch, const std::string& target, const Tensor& value) {
  Point& point = points_.at(target);
  Stop& stop = *point.stop;
  wait_for_turn(stop, batch);
  // No lock from here on: until this batch leaves, the observer is its own.
  const bool is_known = (point.once && point.seen) ||
                        (point.repeated && stop.observer->observe_again(point.repeated->low, point.repeated->high));
  try {
    if (!is_known) stop.observer->observe(value);
  } catch (const InvalidArgumentError& error) {
    throw InvalidArgumentError("[calibrate] " + point.value->describe() + ": " + error.what());
  }
  point.seen = true;
  if (++stop.visits == stop.nodes && !stop.is_conditional) leave(stop, batch);
}

void Turns::wait_for_turn(Stop& stop, std::int64_t batch) {
  std::unique_lock lock(stop.mutex);
  stop.left.wait(lock, [&] { return stop.turn == batch || failed_.load() < batch; });
  if (failed_.load() < batch) throw Abandoned();
}

void Turns::leave(Stop& stop, std::int64_t batch) {
  {
    const std::lock_guard lock(stop.mutex);
    stop.turn = batch + 1;
    stop.visits = 0;
  }
  stop.left.notify_all();
}

void Turns::leave_all(std::int64_t batch) {
  for (auto& [observer, stop] : stops_) {
    {
      const std::lock_guard lock(stop->mutex);
      if (stop->turn > batch) continue;
    }
    wait_for_turn(*stop, batch);
    leave(*stop, batch);
  }
}

void Turns::fail(std::int64_t batch) {
  std::int64_t first = failed_.load();
  while (batch < first && !failed_.compare_exchange_weak(first, batch)) {
  }
  for (auto& [observer, stop] : stops_) {
    // A waiter is now either before its check, which will see the failure, or asleep and woken here.
    { const std::lock_guard lock(stop->mutex); }
    stop->left.notify_all();
  }
}

}  // namespace qdq
