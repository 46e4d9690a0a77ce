#include "calibrate/repeated_values.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/observed_value.h"
#include "ops/schema.h"

namespace qdq {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Each element of the input is there once in the result, in some order.
bool keeps_all_elements(const Node& node) {
  constexpr std::array<std::string_view, 14> kOps = {
      "aten.view.default",       "aten._unsafe_view.default", "aten.reshape.default", "aten.flatten.using_ints",
      "aten.unflatten.int",      "aten.permute.default",      "aten.transpose.int",   "aten.t.default",
      "aten.unsqueeze.default",  "aten.squeeze.default",      "aten.squeeze.dim",     "aten.squeeze.dims",
      "aten.contiguous.default", "aten.clone.default"};
  return std::ranges::find(kOps, node.target()) != kOps.end();
}

// What `node` does to each element of its first input, if it is a clamp or moves elements only. Bounds as torch applies
// them to float32 values: rounded to float32.
std::optional<RepeatedValues> elementwise_bounds(const Node& node, const OpSchema& schema) {
  if (keeps_all_elements(node)) return RepeatedValues{-kInfinity, kInfinity};
  const std::string_view name = std::string_view(schema.text).substr(0, schema.text.find('('));
  if (name == "relu" || name == "relu_") return RepeatedValues{0.0f, kInfinity};
  if (name == "relu6" || name == "relu6_") return RepeatedValues{0.0f, 6.0f};
  if (name != "hardtanh" && name != "hardtanh_") return std::nullopt;
  const Call call = bind(node, schema, [](const Node&) { return Value(); });
  const RepeatedValues bounds{static_cast<float>(call.number("min_val")), static_cast<float>(call.number("max_val"))};
  return bounds.low <= bounds.high ? std::optional(bounds) : std::nullopt;
}

class Finder {
 public:
  Finder(const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers)
      : graph_(graph), observers_(observers) {
    for (const auto& [name, observer] : observers_) ++points_[observer.get()];
    for (const Node& node : graph_.nodes())
      if (const Observer* observer = observer_of(node)) --points_[observer];
  }

  std::unordered_map<std::string, RepeatedValues> run() {
    std::unordered_map<std::string, RepeatedValues> result;
    std::size_t writes = 0;
    for (const Node& node : graph_.nodes()) {
      const std::size_t at = positions_.size();
      positions_[&node] = at;
      const OpSchema* schema = node.kind() == NodeKind::call_function ? find_schema(node.target()) : nullptr;
      writes += schema && schema->mutates();
      writes_before_.push_back(writes);
      const Observer* observer = observer_of(node);
      // In a subgraph it could observe in between.
      if (!observer || points_.at(observer) != 0) continue;
      const Node*& latest = latest_[observer];
      const auto repeated = latest != nullptr ? trace(node, *latest) : std::nullopt;
      if (repeated) result[node.target()] = *repeated;
      latest = &node;
    }
    return result;
  }

 private:
  const Observer* observer_of(const Node& node) const {
    if (node.kind() != NodeKind::call_module) return nullptr;
    const auto found = observers_.find(node.target());
    return found == observers_.end() ? nullptr : found->second.get();
  }

  // How the values at `point` follow from those at `earlier`, which its observer saw last.
  std::optional<RepeatedValues> trace(const Node& point, const Node& earlier) const {
    const Node* const source = &observed_value(earlier);
    if (source->kind() == NodeKind::get_attr) return std::nullopt;  // not seen in every run
    RepeatedValues bounds{-kInfinity, kInfinity};
    std::size_t own_writes = 0;
    for (const Node* at = &observed_value(point); at != source;
         at = at->input(0) ? &observed_value(*at->input(0)) : nullptr) {
      // Before `earlier` memory may have held other values.
      if (at == nullptr || at->kind() != NodeKind::call_function || positions_.at(at) < positions_.at(&earlier))
        return std::nullopt;
      const OpSchema* schema = find_schema(at->target());
      const auto inner = schema ? elementwise_bounds(*at, *schema) : std::nullopt;
      if (!inner) return std::nullopt;
      own_writes += schema->mutates();
      bounds = {std::clamp(inner->low, bounds.low, bounds.high), std::clamp(inner->high, bounds.low, bounds.high)};
    }
    // Another op that writes in place may have changed the values in between.
    const std::size_t writes = writes_before_[positions_.at(&point)] - writes_before_[positions_.at(&earlier)];
    return writes == own_writes ? std::optional(bounds) : std::nullopt;
  }

  const Graph& graph_;
  const std::map<std::string, std::shared_ptr<Observer>>& observers_;
  std::unordered_map<const Observer*, std::int64_t> points_;  // elsewhere than in this graph
  std::unordered_map<const Node*, std::size_t> positions_;
  std::vector<std::size_t> writes_before_;  // how many ops up to a position write in place
  std::unordered_map<const Observer*, const Node*> latest_;
};

}  // namespace

std::unordered_map<std::string, RepeatedValues> find_repeated_values(
    const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers) {
  return Finder(graph, observers).run();
}

}  // namespace qdq
