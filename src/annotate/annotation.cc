#include "qdq/annotation.h"

namespace qdq {

std::string EdgeOrNode::describe() const {
  if (!producer) return "(no node)";
  return is_edge() ? "edge " + producer->describe() + " -> " + consumer->describe() : producer->describe();
}

void QuantizationAnnotation::set_input_qspec(Node& producer, QuantizationSpecBase spec) {
  for (auto& [node, existing] : input_qspec_map)
    if (node == &producer) {
      existing = std::move(spec);
      return;
    }
  input_qspec_map.emplace_back(&producer, std::move(spec));
}

const QuantizationSpecBase* QuantizationAnnotation::input_qspec(const Node& producer) const {
  for (const auto& [node, spec] : input_qspec_map)
    if (node == &producer) return &spec;
  return nullptr;
}

std::string rule_name(const QuantizationAnnotation& annotation) {
  const bool both = !annotation.quantizer.empty() && !annotation.rule.empty();
  return annotation.quantizer + (both ? "." : "") + annotation.rule;
}

bool is_valid_annotation(const Node& node) {
  return node.annotation && (!node.annotation->input_qspec_map.empty() || has_spec(node.annotation->output_qspec));
}

QuantizationAnnotation& annotation_of(Node& node) {
  if (!node.annotation) node.annotation = std::make_shared<QuantizationAnnotation>();
  return *node.annotation;
}

bool is_annotated(std::span<Node* const> nodes) {
  for (const Node* node : nodes)
    if (node && node->annotation && node->annotation->annotated) return true;
  return false;
}

void mark_as_annotated(std::span<Node* const> nodes) {
  for (Node* node : nodes)
    if (node) annotation_of(*node).annotated = true;
}

void decline(Node& node, std::string why_not) {
  if (is_valid_annotation(node) || (node.annotation && node.annotation->annotated)) return;
  annotation_of(node).why_not = std::move(why_not);
}

void leave_in_float(Node& node, std::string why_not) {
  if (is_valid_annotation(node) || (node.annotation && node.annotation->annotated)) return;
  annotation_of(node).why_not = std::move(why_not);
  node.annotation->annotated = true;
}

}  // namespace qdq
