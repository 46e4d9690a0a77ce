#include <string>

#include "observers/build.h"
#include "qdq/error.h"

namespace qdq {
namespace {

struct Kind {
  std::string_view name;
  std::unique_ptr<Observer> (*build)(const ObserverOptions&);
};

// Every observer that exists, under PyTorch's class name where it has one.
constexpr Kind kKinds[] = {
    {"MinMaxObserver", build_min_max},
    {"MovingAverageMinMaxObserver", build_moving_average_min_max},
    {"PerChannelMinMaxObserver", build_per_channel_min_max},
    {"MovingAveragePerChannelMinMaxObserver", build_moving_average_per_channel_min_max},
    {"HistogramObserver", build_histogram},
    {"FixedQParamsObserver", build_fixed_qparams},
    {"PlaceholderObserver", build_placeholder},
    {"RecordingObserver", build_recording},
    {"NoopObserver", build_noop},
    {"ReuseInputObserver", build_reuse_input},
    {"AffineQuantizedMinMaxObserver", build_affine_min_max},
    {"AffineQuantizedMovingAverageMinMaxObserver", build_affine_moving_average_min_max},
    {"AffineQuantizedPlaceholderObserver", build_affine_placeholder},
    {"MergeableHistogramObserver", build_mergeable_histogram},
    {"MSEObserver", build_mse},
    {"PercentileObserver", build_percentile},
    {"EntropyObserver", build_entropy},
};

struct Default {
  std::string_view name;
  std::string_view kind;
  ObserverOptions options;
};

// PyTorch's observers with their usual arguments.
const std::vector<Default>& named_defaults() {
  const ObserverOptions int8_weight{.dtype = DType::qint8, .qscheme = QScheme::per_tensor_symmetric};
  const ObserverOptions without_lowest{.quant_min = -127, .quant_max = 127, .eps = 0x1p-12};
  const ObserverOptions per_channel{.qscheme = QScheme::per_channel_symmetric};
  const ObserverOptions embedding{
      .dtype = DType::quint8, .qscheme = QScheme::per_channel_affine_float_qparams, .ch_axis = 0};
  const ObserverOptions fixed{.dtype = DType::quint8, .quant_min = 0, .quant_max = 255};
  const ObserverOptions neg1to1 = fixed.merged_with({.scale = 2.0 / 256.0, .zero_point = 128});
  const ObserverOptions zero_to_1 = fixed.merged_with({.scale = 1.0 / 256.0, .zero_point = 0});
  static const std::vector<Default> defaults = {
      {"default_observer", "MinMaxObserver", {.quant_min = 0, .quant_max = 127}},
      {"default_placeholder_observer", "PlaceholderObserver", {}},
      {"default_debug_observer", "RecordingObserver", {}},
      {"default_weight_observer", "MinMaxObserver", int8_weight},
      {"weight_observer_range_neg_127_to_127", "MinMaxObserver", int8_weight.merged_with(without_lowest)},
      {"default_histogram_observer", "HistogramObserver", {.quant_min = 0, .quant_max = 127}},
      {"default_per_channel_weight_observer", "PerChannelMinMaxObserver", int8_weight.merged_with(per_channel)},
      {"per_channel_weight_observer_range_neg_127_to_127", "PerChannelMinMaxObserver",
       int8_weight.merged_with(per_channel).merged_with(without_lowest)},
      {"default_dynamic_quant_observer", "PlaceholderObserver", fixed.merged_with({.is_dynamic = true})},
      {"default_float_qparams_observer", "PerChannelMinMaxObserver", embedding},
      {"default_float_qparams_observer_4bit", "PerChannelMinMaxObserver",
       embedding.merged_with({.dtype = DType::quint4x2})},
      {"default_fixed_qparams_range_neg1to1_observer", "FixedQParamsObserver", neg1to1},
      {"default_fixed_qparams_range_0to1_observer", "FixedQParamsObserver", zero_to_1},
      {"default_symmetric_fixed_qparams_observer", "FixedQParamsObserver", neg1to1},
      {"default_affine_fixed_qparams_observer", "FixedQParamsObserver", zero_to_1},
      {"default_reuse_input_observer", "ReuseInputObserver", {}},
  };
  return defaults;
}

}  // namespace

std::vector<std::string_view> observer_names() {
  std::vector<std::string_view> names;
  for (const Kind& kind : kKinds) names.push_back(kind.name);
  for (const Default& named : named_defaults()) names.push_back(named.name);
  return names;
}

ObserverFactory observer_by_name(std::string_view name) {
  for (const Kind& kind : kKinds)
    if (kind.name == name) return ObserverFactory(std::string(name), kind.build);
  for (const Default& named : named_defaults())
    if (named.name == name) return observer_by_name(named.kind).with_args(named.options);
  std::string known;
  for (const std::string_view other : observer_names()) known += (known.empty() ? "" : ", ") + std::string(other);
  throw InvalidArgumentError("no observer is called '" + std::string(name) + "'; known: " + known);
}

ObserverFactory min_max_observer(const ObserverOptions& options) {
  return observer_by_name("MinMaxObserver").with_args(options);
}
ObserverFactory moving_average_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("MovingAverageMinMaxObserver").with_args(options);
}
ObserverFactory per_channel_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("PerChannelMinMaxObserver").with_args(options);
}
ObserverFactory moving_average_per_channel_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("MovingAveragePerChannelMinMaxObserver").with_args(options);
}
ObserverFactory histogram_observer(const ObserverOptions& options) {
  return observer_by_name("HistogramObserver").with_args(options);
}
ObserverFactory fixed_qparams_observer(const ObserverOptions& options) {
  return observer_by_name("FixedQParamsObserver").with_args(options);
}
ObserverFactory placeholder_observer(const ObserverOptions& options) {
  return observer_by_name("PlaceholderObserver").with_args(options);
}
ObserverFactory recording_observer(const ObserverOptions& options) {
  return observer_by_name("RecordingObserver").with_args(options);
}
ObserverFactory noop_observer(const ObserverOptions& options) {
  return observer_by_name("NoopObserver").with_args(options);
}
ObserverFactory reuse_input_observer(const ObserverOptions& options) {
  return observer_by_name("ReuseInputObserver").with_args(options);
}
ObserverFactory affine_quantized_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("AffineQuantizedMinMaxObserver").with_args(options);
}
ObserverFactory affine_quantized_moving_average_min_max_observer(const ObserverOptions& options) {
  return observer_by_name("AffineQuantizedMovingAverageMinMaxObserver").with_args(options);
}
ObserverFactory affine_quantized_placeholder_observer(const ObserverOptions& options) {
  return observer_by_name("AffineQuantizedPlaceholderObserver").with_args(options);
}
ObserverFactory mergeable_histogram_observer(const ObserverOptions& options) {
  return observer_by_name("MergeableHistogramObserver").with_args(options);
}
ObserverFactory mse_observer(const ObserverOptions& options) {
  return observer_by_name("MSEObserver").with_args(options);
}
ObserverFactory percentile_observer(const ObserverOptions& options) {
  return observer_by_name("PercentileObserver").with_args(options);
}
ObserverFactory entropy_observer(const ObserverOptions& options) {
  return observer_by_name("EntropyObserver").with_args(options);
}

}  // namespace qdq
