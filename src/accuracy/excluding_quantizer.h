#pragma once
#include <set>
#include <string>

#include "qdq/quantizer.h"

namespace qdq {

// Another quantizer that leaves the nodes of these names in float.
class ExcludingQuantizer : public Quantizer {
 public:
  ExcludingQuantizer(Quantizer& inner, std::set<std::string> excluded)
      : inner_(inner), excluded_(std::move(excluded)) {}

  std::string name() const override { return inner_.name(); }
  void transform_for_annotation(Program& program) override { inner_.transform_for_annotation(program); }
  // Takes the nodes before the other quantizer sees them. From one that annotates what is taken the annotation is taken
  // back; what shares with it is refused by prepare.
  void annotate(Program& program) override {
    for (Node& node : program.graph().nodes())
      if (excluded_.contains(node.name())) leave_in_float(node, "excluded on request");
    inner_.annotate(program);
    for (Node& node : program.graph().nodes())
      if (excluded_.contains(node.name()) && is_valid_annotation(node)) {
        node.annotation = nullptr;
        leave_in_float(node, "excluded on request");
      }
  }
  void validate(const Program& program) override { inner_.validate(program); }
  void prepare_obs_or_fq_callback(Program& program, ObserverMap& observers) override {
    inner_.prepare_obs_or_fq_callback(program, observers);
  }

 private:
  Quantizer& inner_;
  std::set<std::string> excluded_;
};

}  // namespace qdq
