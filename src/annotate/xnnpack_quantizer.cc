#include <algorithm>

#include "qdq/quantizer.h"

namespace qdq {

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

void XnnpackQuantizer::annotate_patterns(Program& program, const QuantizationConfig& config,
                                         const NodeFilter& filter) const {
  const auto not_excluded = [&](const Node& node) {
    return (!filter || filter(node)) &&
           std::none_of(excluded_.begin(), excluded_.end(), [&](const NodeFilter& excluded) { return excluded(node); });
  };
  const bool is_dynamic =
      global_config_ && global_config_->input_activation && global_config_->input_activation->is_dynamic;
  for (const OpAnnotator& row : op_annotators())
    if (!is_dynamic || std::string_view(row.name) == "linear") row.annotate(program, config, not_excluded);
}

void XnnpackQuantizer::annotate(Program& program) {
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
