#include "qdq/quantizers.h"

#include <algorithm>

namespace qdq {
namespace {

[[noreturn]] void refuse(std::string_view quantizer, std::string_view why) {
  throw InvalidArgumentError("[annotate] quantizer '" + std::string(quantizer) + "': " + std::string(why));
}

// The activations' observer, with the eps and bounds of the backend.
void set_observer(QuantizationConfig& config, const QuantizerOptions& options, std::string_view quantizer) {
  if (!options.observer) return;
  if (options.is_dynamic) refuse(quantizer, "dynamic activations have no observer to choose");
  if (options.observer->find("PerChannel") != std::string::npos)
    refuse(quantizer, *options.observer + " cannot watch activations, which have one scale per tensor");
  for (auto* role : {&config.input_activation, &config.output_activation})
    if (*role)
      (*role)->observer_or_fake_quant_ctr =
          observer_by_name(*options.observer).with_args((*role)->observer_or_fake_quant_ctr.defaults());
}

// Ranges around 0, so that the zero point is 0 in int8: products then need no correction for it, and OpenVINO's kernels want it so.
void set_symmetric_activations(QuantizationConfig& config, const QuantizerOptions& options,
                               std::string_view quantizer) {
  if (!options.symmetric_activations) return;
  if (options.is_dynamic) refuse(quantizer, "dynamic activations choose their zero point when they run");
  for (auto* role : {&config.input_activation, &config.output_activation}) {
    if (!*role) continue;
    QuantizationSpec& spec = **role;
    const std::int64_t half = (spec.quant_max.value() - spec.quant_min.value() + 1) / 2;
    spec.dtype = DType::int8;
    spec.quant_min = -half;
    spec.quant_max = half - 1;
    spec.qscheme = QScheme::per_tensor_symmetric;
  }
}

// For all roles. After their observers are settled.
void set_least_scale(QuantizationConfig& config, const QuantizerOptions& options, std::string_view quantizer) {
  if (!options.least_scale) return;
  if (!(*options.least_scale > 0)) refuse(quantizer, "a least scale above 0 expected");
  ObserverOptions eps;
  eps.eps = options.least_scale;
  for (auto* role : {&config.input_activation, &config.output_activation, &config.weight})
    if (*role) (*role)->observer_or_fake_quant_ctr = (*role)->observer_or_fake_quant_ctr.with_args(eps);
}

// Weights of fewer bits than the backend's 8, in the same dtype.
void set_weight_bits(QuantizationConfig& config, const QuantizerOptions& options, std::string_view quantizer) {
  if (options.weight_bits == 8) return;
  if (options.weight_bits < 2 || options.weight_bits > 8)
    refuse(quantizer, "weights of 2 to 8 bits expected, found " + std::to_string(options.weight_bits));
  const std::int64_t half = std::int64_t{1} << (options.weight_bits - 1);
  config.weight->quant_min = -half;
  config.weight->quant_max = half - 1;
}

// The weights' observer, with the eps and bounds of the backend. After their scheme is settled: not every observer knows both.
void set_weight_observer(QuantizationConfig& config, const QuantizerOptions& options, std::string_view quantizer) {
  if (!options.weight_observer) return;
  QuantizationSpec& weight = *config.weight;
  ObserverFactory& factory = weight.observer_or_fake_quant_ctr;
  factory = observer_by_name(*options.weight_observer).with_args(factory.defaults());
  try {
    factory({.dtype = weight.dtype,
             .qscheme = weight.qscheme,
             .quant_min = weight.quant_min,
             .quant_max = weight.quant_max,
             .ch_axis = weight.ch_axis});
  } catch (const InvalidArgumentError& error) {
    refuse(quantizer, *options.weight_observer + " cannot watch its weights: " + error.what());
  }
}

template <typename AQuantizer>
void set_excluded(AQuantizer& quantizer, const QuantizerOptions& options) {
  for (const std::string& pattern : options.exclude) quantizer.exclude(pattern_filter(pattern));
}

std::unique_ptr<Quantizer> make_xnnpack(const QuantizerOptions& options) {
  auto quantizer = std::make_unique<XnnpackQuantizer>();
  QuantizationConfig config =
      symmetric_config({.per_channel = options.per_channel.value_or(false), .is_dynamic = options.is_dynamic});
  set_observer(config, options, "xnnpack");
  set_symmetric_activations(config, options, "xnnpack");
  set_weight_bits(config, options, "xnnpack");
  set_weight_observer(config, options, "xnnpack");
  set_least_scale(config, options, "xnnpack");
  quantizer->set_global(std::move(config)).set_observe_masks(options.observe_masks);
  set_excluded(*quantizer, options);
  return quantizer;
}

// Weights by the other scheme than the backend's own.
void set_per_channel(QuantizationConfig& config, const QuantizerOptions& options) {
  if (!options.per_channel) return;
  QuantizationSpec& weight = *config.weight;
  const ObserverOptions& defaults = weight.observer_or_fake_quant_ctr.defaults();
  weight.observer_or_fake_quant_ctr =
      *options.per_channel ? per_channel_min_max_observer(defaults) : min_max_observer(defaults);
  weight.qscheme = *options.per_channel ? QScheme::per_channel_symmetric : QScheme::per_tensor_symmetric;
  weight.ch_axis = *options.per_channel ? std::optional<std::int64_t>(0) : std::nullopt;
}

template <typename AQuantizer>
std::unique_ptr<Quantizer> make_inductor(QuantizationConfig config, const QuantizerOptions& options) {
  auto quantizer = std::make_unique<AQuantizer>();
  set_observer(config, options, quantizer->name());
  set_symmetric_activations(config, options, quantizer->name());
  set_per_channel(config, options);
  set_weight_bits(config, options, quantizer->name());
  set_weight_observer(config, options, quantizer->name());
  set_least_scale(config, options, quantizer->name());
  for (const std::string& op : options.also) quantizer->set_function_type(op, config);
  quantizer->set_global(std::move(config)).set_observe_masks(options.observe_masks);
  set_excluded(*quantizer, options);
  return quantizer;
}

std::unique_ptr<Quantizer> make_x86(const QuantizerOptions& options) {
  return make_inductor<X86Quantizer>(
      x86_config({.is_dynamic = options.is_dynamic, .reduce_range = options.reduce_range}), options);
}

std::unique_ptr<Quantizer> make_arm(const QuantizerOptions& options) {
  return make_inductor<ArmQuantizer>(arm_config(options.is_dynamic), options);
}

std::unique_ptr<Quantizer> make_xpu(const QuantizerOptions& options) {
  if (options.is_dynamic) refuse("xpu", "its recipes are static");
  return make_inductor<XpuQuantizer>(xpu_config(), options);
}

std::unique_ptr<Quantizer> make_embedding(const QuantizerOptions& options) {
  if (options.per_channel == false) refuse("embedding", "a table has one scale for each row");
  if (options.weight_bits != 8) refuse("embedding", "its tables have 8 bits");
  if (options.least_scale) refuse("embedding", "its scales have no bound");
  auto quantizer = std::make_unique<EmbeddingQuantizer>();
  set_excluded(*quantizer, options);
  return quantizer;
}

std::unique_ptr<Quantizer> make_weight_only(const QuantizerOptions& options) {
  if (options.per_channel == false) refuse("weight_only", "weights have a scale for each channel or group");
  if (options.weight_observer) refuse("weight_only", "its weights have an observer of their own");
  if (options.least_scale) refuse("weight_only", "its scales have no bound to speak of");
  if (options.symmetric_activations) refuse("weight_only", "its activations stay in float");
  auto quantizer = std::make_unique<WeightOnlyQuantizer>(
      WeightOnlyOptions{.bits = options.weight_bits, .group_size = options.group_size});
  set_excluded(*quantizer, options);
  return quantizer;
}

struct Row {
  std::string_view name;
  std::unique_ptr<Quantizer> (*make)(const QuantizerOptions&);
};

constexpr Row kQuantizers[] = {
    {"xnnpack", make_xnnpack},
    {"x86", make_x86},
    {"arm", make_arm},
    {"xpu", make_xpu},
    {"embedding", make_embedding},
    {"weight_only", make_weight_only},
};

std::unique_ptr<Quantizer> make_one(std::string_view name, const QuantizerOptions& options) {
  std::string known;
  for (const Row& row : kQuantizers) {
    if (row.name == name) {
      if (!options.also.empty() && name != "x86" && name != "arm" && name != "xpu" && name != "embedding")
        refuse(name, "only x86, arm and xpu quantize ops on request");
      if (options.reduce_range && name != "x86" && name != "embedding") refuse(name, "only x86 has reduce_range");
      return row.make(options);
    }
    (known += known.empty() ? "" : ", ") += row.name;
  }
  throw InvalidArgumentError("[annotate] no quantizer is called '" + std::string(name) + "'; there are " + known);
}

}  // namespace

std::unique_ptr<Quantizer> quantizer_by_name(std::string_view name, const QuantizerOptions& options) {
  if (name.find(',') == std::string_view::npos) return make_one(name, options);
  std::vector<std::shared_ptr<Quantizer>> members;
  while (!name.empty()) {
    const std::string_view member = name.substr(0, name.find(','));
    name.remove_prefix(std::min(member.size() + 1, name.size()));
    members.push_back(make_one(member, options));
  }
  return std::make_unique<ComposableQuantizer>(std::move(members));
}

std::vector<std::string> quantizer_names() {
  std::vector<std::string> names;
  for (const Row& row : kQuantizers) names.emplace_back(row.name);
  return names;
}

}  // namespace qdq
