#include <unordered_map>

#include "qdq/quantizer.h"

namespace qdq {
namespace {

// Who annotated a node, and the annotation itself: kept alive, so that its address stays its own.
struct Claim {
  std::shared_ptr<QuantizationAnnotation> annotation;
  std::string owner;
};

bool says_something(const Node& node) {
  return is_valid_annotation(node) || (node.annotation && node.annotation->annotated);
}

}  // namespace

ComposableQuantizer::ComposableQuantizer(std::vector<std::shared_ptr<Quantizer>> quantizers)
    : quantizers_(std::move(quantizers)) {}

std::string ComposableQuantizer::name() const {
  std::string names;
  for (const auto& quantizer : quantizers_) names += (names.empty() ? "" : ",") + quantizer->name();
  return names;
}

void ComposableQuantizer::transform_for_annotation(Program& program) {
  for (const auto& quantizer : quantizers_) quantizer->transform_for_annotation(program);
}

void ComposableQuantizer::annotate(Program& program) {
  std::unordered_map<const Node*, Claim> claims;
  for (const auto& quantizer : quantizers_) {
    quantizer->annotate(program);
    for (const Node& node : program.graph().nodes()) {
      const auto claim = claims.find(&node);
      if (claim == claims.end()) {
        if (!says_something(node)) continue;
        if (node.annotation->quantizer.empty()) node.annotation->quantizer = quantizer->name();
        claims.emplace(&node, Claim{node.annotation, quantizer->name()});
      } else if (claim->second.annotation != node.annotation) {
        throw InvalidArgumentError("[annotate] quantizer '" + quantizer->name() + "' " +
                                   (node.annotation ? "replaces" : "removes") + " the annotation that '" +
                                   claim->second.owner + "' gave to " + node.describe() +
                                   "; a quantizer must skip nodes that are annotated already");
      }
    }
  }
}

void ComposableQuantizer::validate(const Program& program) {
  for (const auto& quantizer : quantizers_) quantizer->validate(program);
}

void ComposableQuantizer::prepare_obs_or_fq_callback(Program& program, ObserverMap& observers) {
  for (const auto& quantizer : quantizers_) quantizer->prepare_obs_or_fq_callback(program, observers);
}

}  // namespace qdq
