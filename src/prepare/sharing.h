#pragma once
#include <memory>
#include <vector>

#include "prepare/places.h"

namespace qdq {

// For each place the number of its sharing group: places of one group have one observer. Two places are in one group when
//   - one has a SharedQuantizationSpec that refers to the other, or
//   - they carry the same tensor (a producer's output and its consumers' edges) with equal configuration, and at least
//     one edge's consumer allows implicit sharing.
// Groups are numbered in the order of their first place. The result does not depend on the order of annotation.
std::vector<std::size_t> sharing_groups(const AnnotatedPlaces& places);

// The observer of each place, one per group, made from the group's first spec; null where the spec is monostate.
// Throws InvalidArgumentError for derived specs that depend on themselves.
ObserverMap build_observers(const AnnotatedPlaces& places);

}  // namespace qdq
