#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qdq/annotation.h"
#include "qdq/program.h"

namespace qdq {

// Observers by place, in the order of prepare's walk.
using ObserverMap = std::vector<std::pair<EdgeOrNode, std::shared_ptr<Observer>>>;

// Decides what is quantized and how, by annotating nodes. Called in this order: transform_for_annotation, annotate,
// validate, prepare_obs_or_fq_callback.
class Quantizer {
 public:
  virtual ~Quantizer() = default;
  virtual std::string name() const = 0;
  virtual void transform_for_annotation(Program&) {}  // may rewrite the graph
  virtual void annotate(Program& program) = 0;        // writes annotations, changes no edge
  virtual void validate(const Program&) {}            // may throw InvalidArgumentError
  // May replace the observers that are about to be inserted.
  virtual void prepare_obs_or_fq_callback(Program&, ObserverMap&) {}
};

// Several quantizers as one, in the order given: the first to annotate a node keeps it, so the narrowest comes first.
class ComposableQuantizer : public Quantizer {
 public:
  explicit ComposableQuantizer(std::vector<std::shared_ptr<Quantizer>> quantizers);

  std::string name() const override;  // "embedding,x86"
  void transform_for_annotation(Program& program) override;
  // Throws InvalidArgumentError when a member replaces or removes the annotation that an earlier one made, naming both
  // and the node.
  void annotate(Program& program) override;
  void validate(const Program& program) override;
  void prepare_obs_or_fq_callback(Program& program, ObserverMap& observers) override;

 private:
  std::vector<std::shared_ptr<Quantizer>> quantizers_;
};

// What a backend asks for: one spec per role; a role left empty stays in float.
struct QuantizationConfig {
  std::optional<QuantizationSpec> input_activation;
  std::optional<QuantizationSpec> output_activation;
  std::optional<QuantizationSpec> weight;
  std::optional<QuantizationSpec> bias;
  bool is_qat =
      false;  // for training: batch norms are still there, and what they follow is annotated together with them
};

// Each throws InvalidArgumentError for a spec that the role does not allow: activations are per tensor, weights per
// tensor or per channel symmetric, biases float32.
QuantizationSpecBase input_act_qspec(const QuantizationConfig& config);
QuantizationSpecBase output_act_qspec(const QuantizationConfig& config);
QuantizationSpecBase weight_qspec(const QuantizationConfig& config);
QuantizationSpecBase bias_qspec(const QuantizationConfig& config);

// Chooses nodes. Empty: all.
using NodeFilter = std::function<bool(const Node&)>;
// Nodes inside the module of that dotted path ("features.3"), at any depth.
NodeFilter module_name_filter(std::string module_name);
// Nodes inside a module of that class ("torch.nn.modules.linear.Linear").
NodeFilter module_type_filter(std::string qualified_type);
// Nodes whose name, op or module path matches a shell pattern ("conv2d_1", "aten.linear.*", "classifier.*").
NodeFilter pattern_filter(std::string glob);

}  // namespace qdq
