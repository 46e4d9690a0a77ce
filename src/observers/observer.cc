#include "qdq/observer.h"

#include <algorithm>

#include "observers/uniform.h"
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

// What one of the observers of affine quantization keeps of its bounds, tensor or blocks.
std::vector<double> numbers(const ObserverState& state, std::string_view name) {
  const Tensor* const found = state.find(name);
  if (!found) return {};
  const Tensor values = found->to(DType::float64).contiguous();
  return {values.data<double>(), values.data<double>() + values.numel()};
}

template <typename Values>
std::optional<std::pair<double, double>> bounds_of(const Values& min, const Values& max) {
  if (min.empty() || min.size() != max.size()) return std::nullopt;
  const double low = *std::ranges::min_element(min);
  const double high = *std::ranges::max_element(max);
  if (!(low <= high)) return std::nullopt;  // inf and -inf: nothing was observed
  return std::pair(low, high);
}

}  // namespace

std::optional<std::pair<double, double>> observed_bounds(const Observer& observer) {
  if (const auto* uniform = dynamic_cast<const UniformObserver*>(&observer))
    return bounds_of(uniform->min_values(), uniform->max_values());
  const ObserverState state = observer.save_state();
  return bounds_of(numbers(state, "min_val"), numbers(state, "max_val"));
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
