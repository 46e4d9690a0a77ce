#include "observers/uniform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "qdq/error.h"

namespace qdq {
namespace {

constexpr std::array kAllowedDTypes = {DType::qint8,  DType::quint8,      DType::quint4x2,     DType::qint32,
                                       DType::int8,   DType::uint8,       DType::int16,        DType::int32,
                                       DType::uint16, DType::float8_e5m2, DType::float8_e4m3fn};

std::pair<std::int64_t, std::int64_t> default_range(DType dtype, bool reduced) {
  switch (dtype) {
    case DType::qint8:
    case DType::int8: return reduced ? std::pair{-64, 63} : std::pair{-128, 127};
    case DType::quint8:
    case DType::uint8: return reduced ? std::pair{0, 127} : std::pair{0, 255};
    case DType::float8_e5m2:
    case DType::float8_e4m3fn: return {0, 15};  // PyTorch's fallback for dtypes without a rule of their own
    default: {
      const IntegerLimits limits = integer_limits(dtype);
      return {limits.min, limits.max};
    }
  }
}

std::int64_t floor_half(std::int64_t value) { return value >= 0 ? value / 2 : -((1 - value) / 2); }

// float -> int32 as x86 converts: anything that does not fit, NaN included, becomes INT32_MIN.
std::int32_t to_int32(float value) {
  if (!(value >= -2147483648.0f && value < 2147483648.0f)) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(value);
}

bool is_one_of(DType dtype, std::initializer_list<DType> list) { return std::ranges::find(list, dtype) != list.end(); }

// The larger one; NaN if either is, as torch.max.
float max_of(float a, float b) { return std::isnan(a) || a > b ? a : b; }

}  // namespace

UniformObserver::UniformObserver(std::string_view kind, const ObserverOptions& options, QScheme default_qscheme)
    : kind_(kind) {
  dtype_ = options.dtype.value_or(DType::quint8);
  qscheme_ = options.qscheme.value_or(default_qscheme);
  is_dynamic_ = options.is_dynamic.value_or(false);
  eps_ = options.eps.value_or(kFloat32Eps);
  if (is_per_channel(qscheme_) != is_per_channel(default_qscheme))
    refuse(std::string(is_per_channel(default_qscheme) ? "a per_channel" : "a per_tensor") +
           " qscheme expected, found " + std::string(name(qscheme_)));
  if (std::ranges::find(kAllowedDTypes, dtype_) == kAllowedDTypes.end()) {
    std::string allowed;
    for (DType dtype : kAllowedDTypes) allowed += (allowed.empty() ? "" : ", ") + std::string(name(dtype));
    refuse("cannot quantize to dtype " + std::string(name(dtype_)) + "; expected one of " + allowed);
  }
  choose_range(options);
}

void UniformObserver::choose_range(const ObserverOptions& options) {
  const bool reduce_range = options.reduce_range.value_or(false);
  // One bound alone says nothing: PyTorch then takes the default range.
  has_customized_qrange_ = options.quant_min.has_value() && options.quant_max.has_value();
  if (!has_customized_qrange_) {
    std::tie(quant_min_, quant_max_) = default_range(dtype_, reduce_range);
    return;
  }
  const std::int64_t min = *options.quant_min, max = *options.quant_max;
  const std::string range = "[" + std::to_string(min) + ", " + std::to_string(max) + "]";
  if (!(min <= 0 && 0 <= max)) refuse("quant_min..quant_max must include 0, found " + range);
  if (min == max) refuse("quant_min must be less than quant_max, found " + range);
  std::int64_t longest = std::numeric_limits<std::int64_t>::max();
  if (is_one_of(dtype_, {DType::int8, DType::qint8})) longest = 256;
  if (is_one_of(dtype_, {DType::int32, DType::qint32})) longest = std::int64_t{1} << 32;
  const auto length = static_cast<std::uint64_t>(max) - static_cast<std::uint64_t>(min);
  if (length >= static_cast<std::uint64_t>(longest))
    refuse("quant_min..quant_max of " + std::string(name(dtype_)) + " may hold " + std::to_string(longest) +
           " values at most, found " + range);
  quant_min_ = reduce_range ? floor_half(min) : min;
  quant_max_ = reduce_range ? floor_half(max) : max;
}

bool UniformObserver::has_observed() const {
  if (min_val_.empty()) return false;
  return is_per_channel(qscheme_) || min_val_[0] != kInfinity || max_val_[0] != -kInfinity;
}

QParams UniformObserver::default_qparams() {
  return {Tensor::from<float>({1.0f}, {1}), Tensor::from<std::int64_t>({0}, {1})};
}

QParams UniformObserver::qparams_for(std::span<const float> min, std::span<const float> max) const {
  if (min.empty() || (!is_per_channel(qscheme_) && min[0] == kInfinity && max[0] == -kInfinity))
    return default_qparams();
  for (std::size_t i = 0; i < min.size(); ++i)
    if (!(min[i] <= max[i]))
      refuse("no qparams: min " + std::to_string(min[i]) + " is not <= max " + std::to_string(max[i]) +
             (is_per_channel(qscheme_) ? " in channel " + std::to_string(i) : "") + "; was a NaN observed?");

  const auto count = static_cast<std::int64_t>(min.size());
  QParams result{Tensor::empty(DType::float32, {count}), {}};
  float* scale = result.scale.data<float>();
  if (qscheme_ == QScheme::per_channel_affine_float_qparams) {
    const auto eps = static_cast<float>(eps_), length = static_cast<float>(quant_max_ - quant_min_);
    result.zero_point = Tensor::empty(DType::float32, {count});
    float* zero_point = result.zero_point.data<float>();
    for (std::size_t i = 0; i < min.size(); ++i) {
      const float raw = (max[i] - min[i]) / length;
      scale[i] = raw > eps ? raw : 1.0f;
      zero_point[i] = -min[i] / scale[i];
    }
    return result;
  }
  Tensor zero_points = Tensor::empty(DType::int64, {count});
  for (std::size_t i = 0; i < min.size(); ++i) {
    const ScaleAndZeroPoint found = qparams_of(min[i], max[i]);
    scale[i] = found.scale;
    zero_points.data<std::int64_t>()[i] = found.zero_point;
  }
  result.zero_point = is_symmetric(qscheme_) ? zero_points : zero_points.to(DType::int32);
  return result;
}

ScaleAndZeroPoint UniformObserver::qparams_of(float min, float max) const {
  const float low = std::min(min, 0.0f), high = std::max(max, 0.0f);
  const auto eps = static_cast<float>(eps_);
  const auto length = static_cast<double>(quant_max_ - quant_min_);
  if (is_symmetric(qscheme_)) {
    std::int64_t zero_point = 0;
    if (is_one_of(dtype_, {DType::quint8, DType::uint8}))
      zero_point = has_customized_qrange_ ? floor_half(quant_min_ + quant_max_) : 128;
    else if (dtype_ == DType::uint16)
      zero_point = 1 << 15;
    return {max_of(max_of(-low, high) / static_cast<float>(length / 2), eps), zero_point};
  }
  const float scale = max_of((high - low) / static_cast<float>(length), eps);
  // int32 arithmetic that wraps, as in torch.
  const auto steps = static_cast<std::uint32_t>(to_int32(std::nearbyint(low / scale)));
  const auto raw = static_cast<std::int32_t>(static_cast<std::uint32_t>(quant_min_) - steps);
  return {scale, std::clamp<std::int64_t>(raw, quant_min_, quant_max_)};
}

Tensor UniformObserver::float_values(const Tensor& value, bool any_order) {
  Tensor dense = value;
  if (any_order && !value.is_contiguous() && value.is_dense())
    dense = value.as_strided({value.numel()}, {1}, value.storage_offset());
  return dense.contiguous().to(DType::float32);
}

void UniformObserver::refuse(const std::string& why) const {
  throw InvalidArgumentError("[observe] " + std::string(kind_) + ": " + why);
}

const UniformObserver& UniformObserver::same_kind(const Observer& other) const {
  const auto* uniform = dynamic_cast<const UniformObserver*>(&other);
  if (uniform == nullptr || uniform->kind_ != kind_)
    refuse("can only be merged with its own kind, found " + std::string(other.kind()));
  return *uniform;
}

ObserverState UniformObserver::save_state() const {
  const Shape shape = is_per_channel(qscheme_) ? Shape{static_cast<std::int64_t>(min_val_.size())} : Shape{};
  return {{{"eps", Tensor::from<float>({static_cast<float>(eps_)}, {1})},
           {"min_val", Tensor::from<float>(min_val_, shape)},
           {"max_val", Tensor::from<float>(max_val_, shape)}}};
}

void UniformObserver::load_state(const ObserverState& state) {
  const auto bounds = [&](std::string_view buffer) {
    const Tensor* found = state.find(buffer);
    if (found == nullptr) refuse("the state has no buffer '" + std::string(buffer) + "'");
    if (found->dim() != (is_per_channel(qscheme_) ? 1 : 0))
      refuse("'" + std::string(buffer) + "' must be " +
             (is_per_channel(qscheme_) ? "one value per channel" : "one value") + ", found sizes " +
             to_string(found->sizes()));
    if (!is_floating_point(found->dtype()))
      refuse("'" + std::string(buffer) + "' must be a float type, found " + std::string(name(found->dtype())));
    const Tensor values = float_values(*found, false);
    return std::vector<float>(values.data<float>(), values.data<float>() + values.numel());
  };
  std::vector<float> min = bounds("min_val"), max = bounds("max_val");
  if (min.size() != max.size())
    refuse(std::to_string(min.size()) + " minima but " + std::to_string(max.size()) + " maxima in the state");
  if (const Tensor* eps = state.find("eps")) {
    if (eps->numel() != 1) refuse("'eps' must be one value, found sizes " + to_string(eps->sizes()));
    eps_ = eps->item();
  }
  min_val_ = std::move(min);
  max_val_ = std::move(max);
}

}  // namespace qdq
