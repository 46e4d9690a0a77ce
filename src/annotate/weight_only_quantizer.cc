#include "qdq/weight_only_quantizer.h"

#include "annotate/patterns.h"
#include "annotate/stay_in_float.h"

namespace qdq {
namespace {

// Why groups of `group_size` do not fit the weight of `op`; "" if they do.
std::string why_no_groups(const Node& op, std::int64_t group_size) {
  if (!is_linear(op)) return "groups are for the weights of linears";
  const TensorMeta* weight = op.input(1)->type.tensor();
  const std::int64_t inputs = weight && !weight->sizes.empty() ? weight->sizes.back().value : 0;
  if (inputs > 0 && inputs % group_size == 0) return "";
  return "its " + std::to_string(inputs) + " inputs are not a multiple of the group size " + std::to_string(group_size);
}

}  // namespace

QuantizationSpec weight_only_spec(const WeightOnlyOptions& options) {
  if (options.bits < 2 || options.bits > 8)
    throw InvalidArgumentError("[annotate] weight_only: expected 2 to 8 bits, found " + std::to_string(options.bits));
  if (options.group_size && *options.group_size < 1)
    throw InvalidArgumentError("[annotate] weight_only: expected a group_size of 1 or more, found " +
                               std::to_string(*options.group_size));
  const std::int64_t half = std::int64_t{1} << (options.bits - 1);
  ObserverOptions observer;
  observer.eps = kFloat32Eps;
  QuantizationSpec spec;
  spec.dtype = DType::int8;
  spec.quant_max = half - 1;
  if (options.group_size) {
    spec.quant_min = -half;
    observer.mapping_type = MappingType::symmetric;
    observer.granularity = PerGroup{*options.group_size};
    spec.observer_or_fake_quant_ctr = affine_quantized_min_max_observer(observer);
  } else {
    spec.quant_min = 1 - half;
    spec.qscheme = QScheme::per_channel_symmetric;
    spec.ch_axis = 0;
    spec.observer_or_fake_quant_ctr = per_channel_min_max_observer(observer);
  }
  return spec;
}

WeightOnlyQuantizer::WeightOnlyQuantizer(const WeightOnlyOptions& options)
    : options_(options), spec_(weight_only_spec(options)) {}

WeightOnlyQuantizer& WeightOnlyQuantizer::exclude(NodeFilter filter) {
  excluded_.push_back(std::move(filter));
  return *this;
}

void WeightOnlyQuantizer::annotate(Program& program) {
  leave_excluded_in_float(program, excluded_, /*observe_masks=*/true);
  for (Node& node : program.graph().nodes()) {
    Node* self = &node;
    if ((!is_linear(node) && !is_conv(node)) || !node.input(1) || is_annotated({&self, 1})) continue;
    if (node.input(1)->kind() != NodeKind::get_attr) {
      decline(node, "its weight is computed, no parameter");
      continue;
    }
    const std::string no_groups = options_.group_size ? why_no_groups(node, *options_.group_size) : "";
    if (!no_groups.empty()) {
      decline(node, no_groups);
      continue;
    }
    node.annotation = new_annotation("weight");
    node.annotation->set_input_qspec(*node.input(1), spec_);
  }
}

}  // namespace qdq
