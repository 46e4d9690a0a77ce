#include "qdq/inductor_quantizer.h"

#include <algorithm>

#include "annotate/inductor_recipes.h"
#include "annotate/stay_in_float.h"

namespace qdq {
namespace {

// Whether the activations are dynamic; nothing where the configuration does not say.
std::optional<bool> mode_of(const std::optional<QuantizationConfig>& config) {
  if (!config || !config->input_activation) return std::nullopt;
  return config->input_activation->is_dynamic;
}

std::string text(bool is_dynamic) { return is_dynamic ? "dynamic" : "static"; }

}  // namespace

void InductorQuantizer::check_mode(const Config& config, const std::string& setting) const {
  const auto mode = mode_of(config);
  if (!mode) return;
  const auto compare = [&](std::optional<bool> other) {
    if (other && *other != *mode)
      throw InvalidArgumentError("[annotate] quantizer '" + name() + "': " + setting + " is " + text(*mode) +
                                 ", the settings before it are " + text(*other) +
                                 "; one quantizer does one of them, compose two for both");
  };
  compare(mode_of(global_config_));
  for (const auto& [key, other] : module_name_configs_) compare(mode_of(other));
  for (const OpSetting& other : op_configs_) compare(mode_of(other.config));
}

InductorQuantizer& InductorQuantizer::set_global(QuantizationConfig config) {
  check_mode(config, "set_global");
  global_config_ = std::move(config);
  return *this;
}

InductorQuantizer& InductorQuantizer::set_module_name(std::string module_name, Config config) {
  check_mode(config, "set_module_name('" + module_name + "')");
  for (auto& [existing, existing_config] : module_name_configs_)
    if (existing == module_name) {
      existing_config = std::move(config);
      return *this;
    }
  module_name_configs_.emplace_back(std::move(module_name), std::move(config));
  return *this;
}

InductorQuantizer& InductorQuantizer::set_module_type(std::string qualified_type, Config config) {
  check_mode(config, "set_module_type('" + qualified_type + "')");
  return set_op({true, std::move(qualified_type), std::move(config)});
}

InductorQuantizer& InductorQuantizer::set_function_type(std::string op, Config config) {
  check_mode(config, "set_function_type('" + op + "')");
  if (!is_quantizable_op(backend_, op))
    throw InvalidArgumentError("[annotate] quantizer '" + name() + "' has no recipe for '" + op +
                               "'; it has some for " + quantizable_ops(backend_));
  return set_op({false, std::move(op), std::move(config)});
}

InductorQuantizer& InductorQuantizer::set_op(OpSetting setting) {
  for (OpSetting& existing : op_configs_)
    if (existing.is_module_type == setting.is_module_type && existing.key == setting.key) {
      existing.config = std::move(setting.config);
      return *this;
    }
  op_configs_.push_back(std::move(setting));
  return *this;
}

InductorQuantizer& InductorQuantizer::exclude(NodeFilter filter) {
  excluded_.push_back(std::move(filter));
  return *this;
}

InductorQuantizer& InductorQuantizer::set_observe_masks(bool observe) {
  observe_masks_ = observe;
  return *this;
}

std::string InductorQuantizer::name() const { return backend_.name; }

void InductorQuantizer::annotate(Program& program) {
  leave_excluded_in_float(program, excluded_, observe_masks_);
  RecipeRunner runner(program, backend_);
  for (const auto& [module_name, config] : module_name_configs_) {
    const NodeFilter inside = module_name_filter(module_name);
    const PatternFilter all_inside = [&](const Node&, std::span<Node* const> pattern) {
      return std::all_of(pattern.begin(), pattern.end(), [&](const Node* node) { return inside(*node); });
    };
    runner.run(config, all_inside, "set_module_name('" + module_name + "')");
  }
  for (const OpSetting& setting : op_configs_) {
    const NodeFilter inside = setting.is_module_type ? module_type_filter(setting.key) : NodeFilter();
    const PatternFilter matches = [&](const Node& op, std::span<Node* const>) {
      return setting.is_module_type ? inside(op) : op.target() == setting.key;
    };
    runner.run(setting.config, matches,
               (setting.is_module_type ? "set_module_type('" : "set_function_type('") + setting.key + "')");
  }
  const PatternFilter is_default = [&](const Node& op, std::span<Node* const>) {
    return is_default_op(backend_, op.target());
  };
  if (global_config_) runner.run(global_config_, is_default, "set_global");
  runner.share_outputs();
}

X86Quantizer::X86Quantizer() : InductorQuantizer(kX86Backend) {}
ArmQuantizer::ArmQuantizer() : InductorQuantizer(kArmBackend) {}
XpuQuantizer::XpuQuantizer() : InductorQuantizer(kXpuBackend) {}

}  // namespace qdq
