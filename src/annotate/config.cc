#include "qdq/quantizer.h"

namespace qdq {
namespace {

QuantizationSpecBase per_tensor_activation(const std::optional<QuantizationSpec>& spec, const char* role) {
  if (!spec) return {};
  if (spec->qscheme && is_per_channel(*spec->qscheme))
    throw InvalidArgumentError("[annotate] " + std::string(role) + ": expected a per-tensor scheme, found " +
                               std::string(name(*spec->qscheme)) +
                               "; activations have one scale per tensor, give the per-channel scheme to the weight");
  return *spec;
}

}  // namespace

QuantizationSpecBase input_act_qspec(const QuantizationConfig& config) {
  return per_tensor_activation(config.input_activation, "input_activation");
}

QuantizationSpecBase output_act_qspec(const QuantizationConfig& config) {
  return per_tensor_activation(config.output_activation, "output_activation");
}

QuantizationSpecBase weight_qspec(const QuantizationConfig& config) {
  if (!config.weight) return {};
  const auto scheme = config.weight->qscheme;
  if (scheme && *scheme != QScheme::per_tensor_symmetric && *scheme != QScheme::per_channel_symmetric)
    throw InvalidArgumentError("[annotate] weight: expected per_tensor_symmetric or per_channel_symmetric, found " +
                               std::string(name(*scheme)));
  return *config.weight;
}

QuantizationSpecBase bias_qspec(const QuantizationConfig& config) {
  if (!config.bias) return {};
  if (config.bias->dtype != DType::float32)
    throw InvalidArgumentError("[annotate] bias: expected dtype float32, found " +
                               std::string(name(config.bias->dtype)));
  return *config.bias;
}

}  // namespace qdq
