#include "qdq/inductor_quantizer.h"

namespace qdq {
namespace {

QuantizationConfig with_activation(DType dtype, std::int64_t quant_min, std::int64_t quant_max, bool is_dynamic,
                                   bool per_channel) {
  ObserverOptions with_eps;
  with_eps.eps = 1.0 / 4096;
  QuantizationSpec activation;
  activation.dtype = dtype;
  activation.observer_or_fake_quant_ctr = is_dynamic ? placeholder_observer(with_eps) : histogram_observer(with_eps);
  activation.quant_min = quant_min;
  activation.quant_max = quant_max;
  activation.qscheme = QScheme::per_tensor_affine;
  activation.is_dynamic = is_dynamic;

  QuantizationSpec weight;
  weight.dtype = DType::int8;
  weight.observer_or_fake_quant_ctr = per_channel ? per_channel_min_max_observer(with_eps) : min_max_observer(with_eps);
  weight.quant_min = -128;
  weight.quant_max = 127;
  weight.qscheme = per_channel ? QScheme::per_channel_symmetric : QScheme::per_tensor_symmetric;
  if (per_channel) weight.ch_axis = 0;

  QuantizationConfig config;
  config.input_activation = activation;
  config.output_activation = std::move(activation);
  config.weight = std::move(weight);
  return config;
}

}  // namespace

QuantizationConfig x86_config(const X86ConfigOptions& options) {
  return with_activation(DType::uint8, 0, options.reduce_range ? 127 : 255, options.is_dynamic, /*per_channel=*/true);
}

QuantizationConfig x86_linear_dynamic_fp16_config() {
  QuantizationSpec weight;
  weight.dtype = DType::float16;
  weight.observer_or_fake_quant_ctr = placeholder_observer();
  QuantizationConfig config;
  config.weight = std::move(weight);
  return config;
}

QuantizationConfig arm_config(bool is_dynamic) {
  return with_activation(DType::int8, -128, 127, is_dynamic, /*per_channel=*/false);
}

QuantizationConfig xpu_config() {
  return with_activation(DType::int8, -128, 127, /*is_dynamic=*/false, /*per_channel=*/true);
}

}  // namespace qdq
