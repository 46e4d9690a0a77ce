#include "passes/infer_types.h"

#include "ops/infer_type.h"

namespace qdq {

int infer_types(Graph& graph) {
  TypeInference inference(TypeInference::Computed::unknown);
  int inferred = 0;
  for (Node& node : graph.nodes()) {
    if (node.kind() != NodeKind::call_function || node.type.known()) continue;
    auto type = inference.type_of(node);
    if (!type) continue;
    node.type = std::move(*type);
    ++inferred;
  }
  return inferred;
}

}  // namespace qdq
