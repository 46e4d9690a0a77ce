#include "accuracy/copy_prepared.h"

#include "qdq/annotation.h"

namespace qdq {

PreparedProgram copy_prepared(const PreparedProgram& prepared) {
  Program copy = prepared.program().clone();
  for (Node& node : copy.graph().nodes()) {
    if (!node.annotation) continue;
    node.annotation = std::make_shared<QuantizationAnnotation>(*node.annotation);
    for (auto& [producer, spec] : node.annotation->input_qspec_map)
      if (Node* twin = copy.graph().find(producer->name())) producer = twin;
  }
  return {std::move(copy), prepared.observers()};
}

}  // namespace qdq
