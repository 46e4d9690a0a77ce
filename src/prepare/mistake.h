#pragma once
#include <utility>

#include "base/mistake.h"
#include "qdq/annotation.h"

namespace qdq {

// A mistake in the annotation of a node. docs/annotation_errors.md lists all of them.
[[noreturn]] inline void refuse(const Node& annotated, Mistake mistake) {
  if (annotated.annotation) mistake.annotated_by = rule_name(*annotated.annotation);
  refuse("prepare", mistake);
}
[[noreturn]] inline void refuse(const EdgeOrNode& place, Mistake mistake) {
  refuse(place.is_edge() ? *place.consumer : *place.producer, std::move(mistake));
}

}  // namespace qdq
