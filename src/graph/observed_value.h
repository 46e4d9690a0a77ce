#pragma once
#include <utility>

#include "qdq/graph.h"

namespace qdq {

// The value before any observers, which pass on what they see.
//
//     %conv -> %activation_post_process_2 -> %activation_post_process_5        of each of the three it is %conv
inline const Node& observed_value(const Node& node) {
  const Node* at = &node;
  while (at->kind() == NodeKind::call_module && at->input(0)) at = at->input(0);
  return *at;
}

inline Node& observed_value(Node& node) { return const_cast<Node&>(observed_value(std::as_const(node))); }

}  // namespace qdq
