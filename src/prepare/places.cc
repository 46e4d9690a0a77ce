#include "prepare/places.h"

#include <algorithm>

namespace qdq {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw InvalidArgumentError("[prepare] " + why); }

std::string owner_of(const EdgeOrNode& place) {
  return (place.is_edge() ? place.consumer : place.producer)->describe();
}

void check_bounds(const EdgeOrNode& place, std::optional<std::int64_t> quant_min, std::optional<std::int64_t> quant_max,
                  std::optional<std::int64_t> ch_axis, std::optional<QScheme> qscheme) {
  if (quant_min && quant_max && *quant_min > *quant_max)
    refuse(place.describe() + ": quant_min " + std::to_string(*quant_min) + " is greater than quant_max " +
           std::to_string(*quant_max));
  if (ch_axis && *ch_axis < 0)
    refuse(place.describe() + ": ch_axis is " + std::to_string(*ch_axis) + ", expected 0 or more");
  const TensorMeta* meta = place.producer->type.tensor();
  const bool per_channel = qscheme && is_per_channel(*qscheme);
  const auto rank = meta ? static_cast<std::int64_t>(meta->sizes.size()) : 0;
  if (per_channel && meta && ch_axis.value_or(0) >= rank)
    refuse(place.describe() + ": per-channel quantization along axis " + std::to_string(ch_axis.value_or(0)) +
           " of a tensor with " + std::to_string(rank) + " dimensions");
}

void check_spec(const EdgeOrNode& place, const QuantizationSpecBase& spec) {
  if (const auto* plain = std::get_if<QuantizationSpec>(&spec)) {
    if (!plain->observer_or_fake_quant_ctr)
      refuse(place.describe() + ": its QuantizationSpec has no observer_or_fake_quant_ctr");
    check_bounds(place, plain->quant_min, plain->quant_max, plain->ch_axis, plain->qscheme);
  } else if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) {
    check_bounds(place, fixed->quant_min, fixed->quant_max, {}, fixed->qscheme);
    if (!(fixed->scale > 0))
      refuse(place.describe() + ": fixed scale " + std::to_string(fixed->scale) + ", expected more than 0");
  } else if (const auto* derived = std::get_if<DerivedQuantizationSpec>(&spec)) {
    check_bounds(place, derived->quant_min, derived->quant_max, derived->ch_axis, derived->qscheme);
    if (!derived->derive_qparams_fn)
      refuse(place.describe() + ": its DerivedQuantizationSpec has no derive_qparams_fn");
    if (derived->qscheme && is_per_channel(*derived->qscheme) && !derived->ch_axis)
      refuse(place.describe() + ": a per-channel DerivedQuantizationSpec needs ch_axis");
  }
}

}  // namespace

AnnotatedPlaces::AnnotatedPlaces(const Graph& graph) {
  auto add = [&](EdgeOrNode place, const QuantizationSpecBase& spec) {
    check_spec(place, spec);
    index_.emplace(place, places_.size());
    places_.push_back({place, &spec});
  };
  for (Node& node : graph.nodes()) {
    if (!node.annotation) continue;
    for (const auto& [producer, spec] : node.annotation->input_qspec_map) {
      if (producer->erased())
        refuse("the annotation of " + node.describe() + " names '" + producer->name() +
               "', which is no longer in the graph; annotate after transforming");
      if (!producer->has_user(node))
        refuse("the annotation of " + node.describe() + " gives a spec to its input '" + producer->name() +
               "', but the node does not read it; its inputs are" + [&] {
                 std::string names;
                 for (const Node* input : node.inputs()) names += " '" + input->name() + "'";
                 return names.empty() ? std::string(" none") : names;
               }());
      add(EdgeOrNode(*producer, node), spec);
    }
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
  const std::string where = places_[index].place.describe() + " shares with ";
  if (!target.producer) refuse(where + "no place at all: its SharedQuantizationSpec is empty");
  if (target.producer->erased() || (target.is_edge() && target.consumer->erased()))
    refuse(where + target.describe() + ", which is no longer in the graph");
  refuse(where + target.describe() + ", which has no spec of its own; annotate " +
         (target.is_edge() ? "that input of " : "the output of ") + owner_of(target) + " or share with another place");
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
      refuse("SharedQuantizationSpec goes in a circle: " + circle + places_[at].place.describe() +
             "; give one of them a spec of its own");
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
