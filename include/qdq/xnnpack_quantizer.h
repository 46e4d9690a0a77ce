#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qdq/quantizer.h"

namespace qdq {

// One annotator: finds its pattern everywhere in the program and annotates what is free and passes the filter. Returns
// the partitions that it annotated, the output node first where a pattern has several nodes.
using Partitions = std::vector<std::vector<Node*>>;
using Annotator = Partitions (*)(Program&, const QuantizationConfig&, const NodeFilter&);
struct OpAnnotator {
  const char* name;  // "conv_relu"
  Annotator annotate;
  bool is_qat_only = false;  // its pattern has a batch norm, which prepare folds away before anything else is quantized
};
// The annotators of the XNNPACK quantizer, fusions before their parts.
std::span<const OpAnnotator> op_annotators();
// By name. Throws InvalidArgumentError, listing the names.
Annotator op_to_annotator(std::string_view name);
// Ops that only pass values on (relu, pooling, view ...) take over the output spec of their annotated producer.
void propagate_annotation(Program& program);

struct SymmetricConfigOptions {
  bool per_channel = false;
  bool is_dynamic = false;
  std::int64_t act_qmin = -128;
  std::int64_t act_qmax = 127;
  std::int64_t weight_qmin = -127;
  std::int64_t weight_qmax = 127;
};

// int8 affine activations (histogram observer), int8 symmetric weights: PyTorch's get_symmetric_quantization_config.
QuantizationConfig symmetric_config(const SymmetricConfigOptions& options = {});

// PyTorch's XNNPACKQuantizer. The narrowest setting wins: module names, then module types, then the global one.
class XnnpackQuantizer : public Quantizer {
 public:
  XnnpackQuantizer& set_global(QuantizationConfig config);
  XnnpackQuantizer& set_module_type(std::string qualified_type, QuantizationConfig config);
  XnnpackQuantizer& set_module_name(std::string module_name, QuantizationConfig config);
  // Nodes for which `filter` is true stay in float.
  XnnpackQuantizer& exclude(NodeFilter filter);
  // True: observe attention masks and the scores that they are added to, as PyTorch does, although a minimum of -1e9 leaves
  // no steps for the rest. False, the default: such ops stay in float (docs/quantization.md).
  XnnpackQuantizer& set_observe_masks(bool observe);

  std::string name() const override { return "xnnpack"; }
  // Number literals of add and mul become tensors, so that they can be quantized.
  void transform_for_annotation(Program& program) override;
  void annotate(Program& program) override;

 private:
  void annotate_patterns(Program& program, const QuantizationConfig& config, const NodeFilter& filter) const;

  std::optional<QuantizationConfig> global_config_;
  std::vector<std::pair<std::string, QuantizationConfig>> module_type_configs_;
  std::vector<std::pair<std::string, QuantizationConfig>> module_name_configs_;
  std::vector<NodeFilter> excluded_;
  bool observe_masks_ = false;
};

}  // namespace qdq
