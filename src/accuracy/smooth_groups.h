#pragma once
#include <string>
#include <vector>

#include "qdq/accuracy.h"
#include "qdq/program.h"

namespace qdq {

// Linears that read one value, and what can divide that value by a factor per channel instead:
//
//     layer_norm, rms_norm, mul by a parameter  ->  linears                 the norm's weight and bias
//     linear -> heads -> attention -> heads put together -> linear          the first linear's rows and bias
struct SmoothGroup {
  Node* source;                // the norm or the first linear
  Node* value;                 // what the linears read
  std::vector<Node*> linears;  // in graph order
  bool has_other_readers;      // of the value: the norm must stay for them, and gets a twin
};

// In graph order; weights are read by their linear alone. Linears whose value no source divides are in `skipped`.
std::vector<SmoothGroup> smooth_groups(Program& program, std::vector<SkippedLayer>& skipped);

// Divides the value of `group` by `factors` and multiplies the columns of its linears' weights with them.
void apply_factors(Program& program, const SmoothGroup& group, const std::vector<float>& factors);

}  // namespace qdq
