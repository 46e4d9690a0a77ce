#include "qdq/observer.h"

#include "qdq/error.h"

namespace qdq {

std::string_view name(QScheme qscheme) {
  switch (qscheme) {
    case QScheme::per_tensor_affine: return "per_tensor_affine";
    case QScheme::per_tensor_symmetric: return "per_tensor_symmetric";
    case QScheme::per_channel_affine: return "per_channel_affine";
    case QScheme::per_channel_symmetric: return "per_channel_symmetric";
    case QScheme::per_channel_affine_float_qparams: return "per_channel_affine_float_qparams";
  }
  throw InternalError("unknown qscheme " + std::to_string(static_cast<int>(qscheme)));
}

ObserverOptions ObserverOptions::merged_with(const ObserverOptions& overriding) const {
  ObserverOptions merged = *this;
  const auto take = [&](auto field) {
    if ((overriding.*field).has_value()) merged.*field = overriding.*field;
  };
  take(&ObserverOptions::dtype);
  take(&ObserverOptions::qscheme);
  take(&ObserverOptions::quant_min);
  take(&ObserverOptions::quant_max);
  take(&ObserverOptions::ch_axis);
  take(&ObserverOptions::is_dynamic);
  take(&ObserverOptions::reduce_range);
  take(&ObserverOptions::eps);
  take(&ObserverOptions::averaging_constant);
  take(&ObserverOptions::bins);
  take(&ObserverOptions::scale);
  take(&ObserverOptions::zero_point);
  take(&ObserverOptions::percentile);
  take(&ObserverOptions::mapping_type);
  take(&ObserverOptions::granularity);
  take(&ObserverOptions::scale_dtype);
  take(&ObserverOptions::zero_point_dtype);
  take(&ObserverOptions::preserve_zero);
  take(&ObserverOptions::zero_point_domain);
  return merged;
}

const Tensor* ObserverState::find(std::string_view name) const {
  for (const auto& [key, tensor] : buffers)
    if (key == name) return &tensor;
  return nullptr;
}

ObserverState Observer::save_state() const { return {}; }

void Observer::load_state(const ObserverState&) {}

void Observer::merge(const Observer& other) {
  throw InvalidArgumentError("[observe] " + std::string(kind()) +
                             ": its state depends on the order of the values, so " + std::string(other.kind()) +
                             " cannot be merged into it");
}

}  // namespace qdq
