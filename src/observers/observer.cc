#include "qdq/observer.h"

#include <algorithm>

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

namespace {

double least(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float64).contiguous();
  return *std::min_element(values.data<double>(), values.data<double>() + values.numel());
}

double greatest(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float64).contiguous();
  return *std::max_element(values.data<double>(), values.data<double>() + values.numel());
}

}  // namespace

std::optional<std::pair<double, double>> observed_bounds(const Observer& observer) {
  const ObserverState state = observer.save_state();
  const Tensor* const min = state.find("min_val");
  const Tensor* const max = state.find("max_val");
  if (!min || !max || min->numel() == 0 || min->numel() != max->numel()) return std::nullopt;
  const double low = min->numel() == 1 ? min->item() : least(*min);
  const double high = max->numel() == 1 ? max->item() : greatest(*max);
  if (!(low <= high)) return std::nullopt;  // inf and -inf: nothing was observed
  return std::pair(low, high);
}

std::string scheme_name(const Observer& observer) {
  const AffineConfig* const affine = observer.affine();
  if (!affine) return std::string(name(observer.qscheme()));
  if (!affine->block_size) return "affine";
  std::string blocks;
  for (const std::int64_t size : *affine->block_size) blocks += (blocks.empty() ? "" : ", ") + std::to_string(size);
  return "affine [" + blocks + "]";
}

}  // namespace qdq
