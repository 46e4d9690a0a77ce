#pragma once
#include <algorithm>

#include "qdq/graph.h"

namespace qdq {

// The first node in the graph's order that reads `node`; null when nobody does. torch.fx's rewriter puts replacements there.
inline Node* first_reader(const Node& node) {
  const std::vector<Node*> users = node.users();
  if (users.empty()) return nullptr;
  return *std::ranges::min_element(users, [](const Node* a, const Node* b) { return a->is_before(*b); });
}

}  // namespace qdq
