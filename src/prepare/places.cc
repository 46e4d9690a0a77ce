#include "prepare/places.h"

#include <algorithm>

#include "prepare/check_annotation.h"
#include "prepare/mistake.h"

namespace qdq {
namespace {

std::string output_or_input(const EdgeOrNode& place) {
  return place.is_edge() ? "the input '" + place.producer->name() + "' of " + place.consumer->describe()
                         : "the output of " + place.producer->describe();
}

}  // namespace

AnnotatedPlaces::AnnotatedPlaces(const Graph& graph) {
  auto add = [&](EdgeOrNode place, const QuantizationSpecBase& spec) {
    index_.emplace(place, places_.size());
    places_.push_back({place, &spec});
  };
  for (Node& node : graph.nodes()) {
    if (!node.annotation) continue;
    check_annotation(node);
    for (const auto& [producer, spec] : node.annotation->input_qspec_map) add(EdgeOrNode(*producer, node), spec);
    if (has_spec(node.annotation->output_qspec)) add(EdgeOrNode(node), node.annotation->output_qspec);
  }
  resolve_sharing();
}

std::optional<std::size_t> AnnotatedPlaces::index_of(const EdgeOrNode& place) const {
  const auto found = index_.find(place);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

std::size_t AnnotatedPlaces::shared_target(std::size_t index) const {
  const auto& shared = std::get<SharedQuantizationSpec>(*places_[index].spec);
  const EdgeOrNode& target = shared.edge_or_node;
  if (const auto found = index_of(target)) return *found;
  const std::string where = places_[index].place.describe();
  constexpr const char* kRule = "a SharedQuantizationSpec takes over the observer of a place that has a spec";
  if (!target.producer)
    refuse(places_[index].place,
           {where, "its SharedQuantizationSpec is empty", kRule, "name the node or the edge to share with"});
  if (target.producer->erased() || (target.is_edge() && target.consumer->erased()))
    refuse(places_[index].place, {where, "shares with " + target.describe() + ", which is no longer in the graph",
                                  kRule, "look nodes up in annotate(), after the graph was changed"});
  if (target.is_edge() && !target.producer->has_user(*target.consumer))
    refuse(places_[index].place, {where, "shares with the " + target.describe() + ", which does not exist", kRule,
                                  "an edge goes from a node to one that reads it: EdgeOrNode(*node.input(i), node)"});
  refuse(places_[index].place,
         {where, "shares with " + output_or_input(target) + ", which has no spec", kRule,
          target.is_edge() ? "give that input a spec in the input_qspec_map of '" + target.consumer->name() + "'"
                           : "give '" + target.producer->name() + "' an output_qspec"});
}

void AnnotatedPlaces::resolve_sharing() {
  enum class State : std::uint8_t { fresh, open, done };
  std::vector<State> state(places_.size(), State::fresh);
  resolved_.resize(places_.size());
  std::vector<std::size_t> chain;
  for (std::size_t start = 0; start < places_.size(); ++start) {
    chain.clear();
    std::size_t at = start;
    while (state[at] == State::fresh && std::holds_alternative<SharedQuantizationSpec>(*places_[at].spec)) {
      state[at] = State::open;
      chain.push_back(at);
      at = shared_target(at);
    }
    if (state[at] == State::open) {
      std::string circle;
      for (auto from = std::find(chain.begin(), chain.end(), at); from != chain.end(); ++from)
        circle += places_[*from].place.describe() + " -> ";
      refuse(places_[at].place, {places_[at].place.describe(),
                                 "SharedQuantizationSpec goes in a circle: " + circle + places_[at].place.describe(),
                                 "one place of a shared group has a spec of its own, which the others follow",
                                 "give one of them a QuantizationSpec"});
    }
    if (state[at] == State::fresh) {
      resolved_[at] = places_[at].spec;
      state[at] = State::done;
    }
    for (const std::size_t link : chain) {
      resolved_[link] = resolved_[at];
      state[link] = State::done;
    }
  }
}

}  // namespace qdq
