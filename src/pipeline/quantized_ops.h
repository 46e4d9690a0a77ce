#pragma once
#include <functional>
#include <unordered_set>

#include "qdq/program.h"

namespace qdq {

// The ops of a program that count as quantized (QuantizationSummary).
class QuantizedOps {
 public:
  // Whether convert puts a dequantize in the place of that call_module node: for programs that are not converted yet.
  using ObserverTest = std::function<bool(const Node& observer)>;
  explicit QuantizedOps(const Program& program, const ObserverTest& becomes_dequantize = {});

  bool contains(const Node& op) const { return ops_.contains(&op); }
  // The op's first input that is in float: an activation, or a weight. Null for quantized ops.
  const Node* float_input(const Node& op) const;

 private:
  bool is_dequantized(const Node& node) const;
  bool is_quantized_activation(const Node& input, const Node& op) const;
  bool is_fused_with(const Node& producer, const Node& op) const;

  ObserverTest becomes_dequantize_;
  std::unordered_set<const Node*> ops_;
};

}  // namespace qdq
