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

}  // namespace qdq
