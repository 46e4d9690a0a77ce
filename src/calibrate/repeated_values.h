#pragma once
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "qdq/graph.h"
#include "qdq/observer.h"

namespace qdq {

// The values at an observation point are those that the same observer has just seen, each clamped to [low, high].
struct RepeatedValues {
  float low;
  float high;
};

// The observation points of `graph`, by the target of their call_module node, for which Observer::observe_again will do:
//
//     %conv -> observer A -> hardtanh(0, 6) -> observer A        clamped to [0, 6]
//     %linear -> observer B -> view -> observer B                the same values
//
// Such points follow when one observer stands before and behind an op that shares its input's qparams. `observers` are
// those of all points, in subgraphs as well.
std::unordered_map<std::string, RepeatedValues> find_repeated_values(
    const Graph& graph, const std::map<std::string, std::shared_ptr<Observer>>& observers);

}  // namespace qdq
