#pragma once
#include <optional>
#include <vector>

#include "base/flat_map.h"
#include "qdq/quantizer.h"

namespace qdq {

// Every annotated place of a graph, in graph order: a node's input edges in the order of its input map, then the node
// itself. `spec` may be monostate (an input that the quantizer leaves alone).
struct AnnotatedPlace {
  EdgeOrNode place;
  const QuantizationSpecBase* spec;
};

class AnnotatedPlaces {
 public:
  // Collects and checks the annotations. Throws InvalidArgumentError, with node names and source lines, for an edge that
  // does not exist, a reference to a place that is not annotated or was erased, sharing that goes in a circle, bounds
  // that contradict each other and a negative channel axis.
  explicit AnnotatedPlaces(const Graph& graph);

  const std::vector<AnnotatedPlace>& all() const { return places_; }
  std::optional<std::size_t> index_of(const EdgeOrNode& place) const;
  // The spec at the end of a chain of SharedQuantizationSpec: never Shared itself.
  const QuantizationSpecBase& resolved(std::size_t index) const { return *resolved_[index]; }
  // The place that a SharedQuantizationSpec refers to.
  std::size_t shared_target(std::size_t index) const;

 private:
  void resolve_sharing();
  std::vector<AnnotatedPlace> places_;
  std::vector<const QuantizationSpecBase*> resolved_;
  FlatMap<EdgeOrNode, std::size_t, EdgeOrNodeHash> index_;
};

}  // namespace qdq
