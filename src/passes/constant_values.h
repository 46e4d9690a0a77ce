#pragma once
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/flat_map.h"
#include "ops/call.h"
#include "qdq/program.h"

namespace qdq {

// Runs one call on known values; whoever folds or observes constants is handed it, so that it depends on no interpreter.
using Evaluate = std::function<std::vector<Value>(const Call&)>;

// The nodes of a program whose values are the same in every run, and those values. Buffers that the program writes to are
// not constants, neither are dequantized values: those stay in the graph.
class ConstantValues {
 public:
  // Both must outlive this.
  ConstantValues(const Program& program, const Evaluate& evaluate);

  // Walks the producers of `node` that it has not met before.
  bool is_constant(Node& node);
  // The results of a constant node, computed when they are first asked for.
  const std::vector<Value>& of(Node& node);
  // Frees the values; they are computed again when asked for.
  void forget() { values_.clear(); }

 private:
  bool may_be_constant(const Node& node) const;
  Call call_of(const Node& node) const;

  const Program& program_;
  const Evaluate& evaluate_;
  std::unordered_set<const Node*> mutable_state_;
  FlatMap<const Node*, bool> known_;
  std::unordered_map<const Node*, std::vector<Value>> values_;
};

}  // namespace qdq
