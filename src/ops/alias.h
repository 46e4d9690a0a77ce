#pragma once
#include <cstddef>
#include <limits>
#include <unordered_map>

#include "qdq/graph.h"

namespace qdq {

// Which values share memory because of views, in-place ops and observers, and which memory is written after its making.
// Found on the graph alone, without sizes; when in doubt (reshape, contiguous, dropout) two values count as sharing.
class AliasAnalysis {
 public:
  explicit AliasAnalysis(const Graph& graph);

  // The node that made the memory of `node`'s value (for a list of views: of all of them).
  const Node* root(const Node& node) const;
  // Some op writes into the memory in place.
  bool is_mutated(const Node& node) const;
  // Some op writes into the memory after a view that depends on the order of its elements (view, flatten ...) was taken:
  // the value must lie in row-major order, as in torch, for the write to show through that view.
  bool needs_row_major(const Node& node) const;

 private:
  struct Memory {
    std::size_t first_reshape = std::numeric_limits<std::size_t>::max();  // positions in the graph
    std::size_t last_write = 0;
    bool written = false;
  };
  std::unordered_map<const Node*, const Node*> roots_;
  std::unordered_map<const Node*, Memory> memory_;
};

}  // namespace qdq
