#include "qdq/xnnpack_quantizer.h"

#include <algorithm>

#include "annotate/stay_in_float.h"

namespace qdq {

QuantizationConfig symmetric_config(const SymmetricConfigOptions& options) {
  ObserverOptions with_eps;
  with_eps.eps = 1.0 / 4096;  // 2^-12: XNNPACK's requantization needs no smaller scale
  QuantizationSpec activation;
  activation.dtype = DType::int8;
  activation.observer_or_fake_quant_ctr =
      options.is_dynamic ? placeholder_observer(with_eps) : histogram_observer(with_eps);
  activation.quant_min = options.act_qmin;
  activation.quant_max = options.act_qmax;
  activation.qscheme = QScheme::per_tensor_affine;
  activation.is_dynamic = options.is_dynamic;

  QuantizationSpec weight;
  weight.dtype = DType::int8;
  weight.observer_or_fake_quant_ctr =
      options.per_channel ? per_channel_min_max_observer(with_eps) : min_max_observer(with_eps);
  weight.quant_min = options.weight_qmin;
  weight.quant_max = options.weight_qmax;
  weight.qscheme = options.per_channel ? QScheme::per_channel_symmetric : QScheme::per_tensor_symmetric;
  weight.ch_axis = 0;

  QuantizationConfig config;
  config.input_activation = activation;
  if (!options.is_dynamic) config.output_activation = activation;
  config.weight = std::move(weight);
  return config;
}

XnnpackQuantizer& XnnpackQuantizer::set_global(QuantizationConfig config) {
  global_config_ = std::move(config);
  return *this;
}

XnnpackQuantizer& XnnpackQuantizer::set_module_type(std::string qualified_type, QuantizationConfig config) {
  module_type_configs_.emplace_back(std::move(qualified_type), std::move(config));
  return *this;
}

XnnpackQuantizer& XnnpackQuantizer::set_module_name(std::string module_name, QuantizationConfig config) {
  module_name_configs_.emplace_back(std::move(module_name), std::move(config));
  return *this;
}

XnnpackQuantizer& XnnpackQuantizer::exclude(NodeFilter filter) {
  excluded_.push_back(std::move(filter));
  return *this;
}

void XnnpackQuantizer::transform_for_annotation(Program& program) {
  for (Node& node : program.graph().nodes()) {
    if (!node.is("aten.add.Tensor") && !node.is("aten.mul.Tensor")) continue;
    Argument::List args = node.args();
    bool changed = false;
    auto at = program.graph().inserting_before(node);
    for (Argument& argument : args) {
      if (argument.node()) continue;
      Attribute constant;
      constant.name = program.attributes.unused_name("_tensor_constant_");
      constant.kind = AttributeKind::buffer;
      constant.value = Tensor::scalar(static_cast<float>(argument.to_double()));
      argument = program.add_attribute(std::move(constant));
      changed = true;
    }
    if (changed) node.set_args(std::move(args));
  }
}

XnnpackQuantizer& XnnpackQuantizer::set_observe_masks(bool observe) {
  observe_masks_ = observe;
  return *this;
}

void XnnpackQuantizer::annotate_patterns(Program& program, const QuantizationConfig& config,
                                         const NodeFilter& filter) const {
  const bool is_dynamic =
      global_config_ && global_config_->input_activation && global_config_->input_activation->is_dynamic;
  for (const OpAnnotator& row : op_annotators())
    if (is_dynamic ? std::string_view(row.name) == "linear" : config.is_qat || !row.is_qat_only)
      row.annotate(program, config, filter);
}

void XnnpackQuantizer::annotate(Program& program) {
  leave_excluded_in_float(program, excluded_, observe_masks_);
  std::vector<NodeFilter> named;
  for (const auto& [module_name, config] : module_name_configs_) {
    named.push_back(module_name_filter(module_name));
    annotate_patterns(program, config, named.back());
  }
  for (const auto& [type, config] : module_type_configs_) {
    named.push_back(module_type_filter(type));
    annotate_patterns(program, config, named.back());
  }
  if (global_config_)
    annotate_patterns(program, *global_config_, [&](const Node& node) {
      return std::none_of(named.begin(), named.end(), [&](const NodeFilter& filter) { return filter(node); });
    });
  propagate_annotation(program);
}

}  // namespace qdq
