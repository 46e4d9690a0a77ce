#include <algorithm>
#include <array>

#include "qdq/accuracy.h"

namespace qdq {
namespace {

constexpr std::array kNames = {std::pair("fast", AccuracyPreset::fast), std::pair("balanced", AccuracyPreset::balanced),
                               std::pair("best", AccuracyPreset::best)};

// Whose weights have one scale unless per_channel is asked for.
bool is_per_tensor_by_default(std::string_view quantizer) { return quantizer == "xnnpack"; }

}  // namespace

std::optional<AccuracyPreset> accuracy_preset_from_text(std::string_view name) {
  for (const auto& [text, preset] : kNames)
    if (name == text) return preset;
  return std::nullopt;
}

void apply_preset(AccuracyPreset preset, std::string_view quantizer, bool has_data, QuantizerOptions& quantizer_options,
                  AccuracyOptions& accuracy) {
  if (preset == AccuracyPreset::fast) return;
  if (is_per_tensor_by_default(quantizer) && !quantizer_options.per_channel) quantizer_options.per_channel = true;
  accuracy.observe_behind_clamps = true;
  if (!has_data) return;
  accuracy.widen_activations = true;
  if (preset == AccuracyPreset::balanced) {
    if (!accuracy.bias_correction) accuracy.bias_correction = BiasCorrectionOptions::Kind::fast;
    return;
  }
  accuracy.widen.share = 0.4;
  accuracy.widen.float_work = 0.2;
  accuracy.smooth_quant = true;
  accuracy.widen_weights = true;
  if (accuracy.rounding == AccuracyOptions::Rounding::nearest) accuracy.rounding = AccuracyOptions::Rounding::adaround;
}

}  // namespace qdq
