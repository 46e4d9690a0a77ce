#include "observers/affine_qparams.h"

#include <algorithm>
#include <cmath>

#include "qdq/error.h"
#include "tensor/float_formats.h"

namespace qdq {
namespace {

double machine_epsilon(DType dtype) {
  switch (dtype) {
    case DType::float64: return 0x1p-52;
    case DType::float32: return 0x1p-23;
    case DType::float16: return 0x1p-10;
    default: return 0x1p-7;  // bfloat16
  }
}

// torch.min, torch.max and torch.clamp: NaN if the tensor's value is, or either of two tensors'.
double min_of(double a, double b) { return std::isnan(a) || a < b ? a : b; }
double max_of(double a, double b) { return std::isnan(a) || a > b ? a : b; }

Tensor from_doubles(std::span<const double> values, const Shape& shape, DType dtype) {
  return Tensor::from<double>(values, shape).to(dtype);
}

}  // namespace

double round_to(DType dtype, double value) {
  if (dtype == DType::float64) return value;
  const auto single = static_cast<float>(value);
  if (dtype == DType::float16) return static_cast<double>(half_to_float(float_to_half(single)));
  if (dtype == DType::bfloat16) return static_cast<double>(bfloat16_to_float(float_to_bfloat16(single)));
  return static_cast<double>(single);
}

AffineBounds affine_quant_bounds(const AffineConfig& config) {
  const auto refuse = [&](const std::string& why) {
    throw InvalidArgumentError("[observe] affine quantization to " + std::string(name(config.target_dtype)) + ": " +
                               why);
  };
  AffineBounds limits{};
  switch (config.target_dtype) {
    case DType::float8_e4m3fn: limits = {-448, 448}; break;
    case DType::float8_e5m2: limits = {-57344, 57344}; break;
    default: {
      if (!is_integral(config.target_dtype) || element_size(config.target_dtype) > 4 ||
          config.target_dtype == DType::uint32)
        refuse("expected an integer type of 1 to 16 bits, int32, float8_e4m3fn or float8_e5m2");
      const IntegerLimits integers = integer_limits(config.target_dtype);
      limits = {static_cast<double>(integers.min), static_cast<double>(integers.max)};
    }
  }
  AffineBounds bounds = limits;
  if (config.quant_min) bounds.low = static_cast<double>(*config.quant_min);
  if (config.quant_max) bounds.high = static_cast<double>(*config.quant_max);
  if (bounds.low < limits.low || bounds.high > limits.high)
    refuse("quant_min and quant_max must lie in " + std::to_string(static_cast<std::int64_t>(limits.low)) + ".." +
           std::to_string(static_cast<std::int64_t>(limits.high)) + ", found " +
           std::to_string(static_cast<std::int64_t>(bounds.low)) + ".." +
           std::to_string(static_cast<std::int64_t>(bounds.high)));
  return bounds;
}

QParams affine_qparams(const AffineConfig& config, std::span<const double> min, std::span<const double> max,
                       DType dtype, const Shape& shape) {
  const AffineBounds bounds = affine_quant_bounds(config);
  const auto rounded = [dtype](double value) { return round_to(dtype, value); };
  // Numbers meet tensors of narrow floats in float32.
  const auto scalar = [dtype](double value) {
    return dtype == DType::float64 ? value : static_cast<double>(static_cast<float>(value));
  };
  const double length = bounds.high - bounds.low;
  const double eps = rounded(config.eps.value_or(machine_epsilon(dtype)));
  const double middle = (bounds.high + bounds.low + 1) / 2;

  std::vector<double> scale(min.size()), zero_point(min.size());
  for (std::size_t i = 0; i < min.size(); ++i) {
    const double low = config.preserve_zero ? min_of(min[i], 0.0) : min[i];
    const double high = config.preserve_zero ? max_of(max[i], 0.0) : max[i];
    switch (config.mapping_type) {
      case MappingType::symmetric: scale[i] = rounded(max_of(-low, high) / scalar(length / 2)); break;
      case MappingType::symmetric_no_clipping_err: {
        const double from_low = rounded(low / scalar(bounds.low)), from_high = rounded(high / scalar(bounds.high));
        scale[i] = from_low > from_high ? from_low : from_high;
        break;
      }
      case MappingType::asymmetric: scale[i] = rounded(rounded(high - low) / scalar(length)); break;
    }
    scale[i] = max_of(scale[i], eps);
    if (config.mapping_type != MappingType::asymmetric)
      zero_point[i] = rounded(std::trunc(middle));
    else if (config.preserve_zero)
      zero_point[i] =
          std::min(max_of(rounded(scalar(bounds.low) - std::nearbyint(rounded(low / scale[i]))), rounded(bounds.low)),
                   rounded(bounds.high));
    else
      zero_point[i] = rounded(low + rounded(scale[i] * scalar(middle)));
  }
  QParams qparams{from_doubles(scale, shape, config.scale_dtype.value_or(dtype)), {}};
  if (config.zero_point_domain != ZeroPointDomain::none)
    qparams.zero_point = from_doubles(zero_point, shape, config.zero_point_dtype.value_or(dtype));
  return qparams;
}

}  // namespace qdq
