#include "annotate/stay_in_float.h"

#include <algorithm>

#include "annotate/masks.h"

namespace qdq {

void leave_excluded_in_float(Program& program, std::span<const NodeFilter> excluded, bool observe_masks) {
  for (Node& node : program.graph().nodes())
    if (node.kind() == NodeKind::call_function &&
        std::any_of(excluded.begin(), excluded.end(), [&](const NodeFilter& filter) { return filter(node); }))
      leave_in_float(node, "excluded on request");
  if (observe_masks) return;
  const auto reasons = ops_on_masks(program);
  for (Node& node : program.graph().nodes())
    if (const auto reason = reasons.find(&node); reason != reasons.end()) leave_in_float(node, reason->second);
}

}  // namespace qdq
