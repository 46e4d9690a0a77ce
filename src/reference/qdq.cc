// torch's quantized_decomposed ops, to the bit. The formulas are in tensor/quant_math.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/eval.h"
#include "reference/quantize.h"
#include "tensor/quant_math.h"

namespace qdq {

void check_bounds(const Call& call, std::int64_t quant_min, std::int64_t quant_max, DType dtype) {
  if (is_floating_point(dtype)) return;
  const IntegerLimits limits = integer_limits(plain_dtype(dtype));
  if (quant_min < limits.min || quant_max > limits.max)
    call.fail("quantized values from " + std::to_string(quant_min) + " to " + std::to_string(quant_max) +
              " do not fit " + std::string(name(dtype)));
}

Tensor to_quantized(const Tensor& values, DType dtype) {
  return dispatch(dtype, [&](auto element) {
    using Stored = typename decltype(element)::Stored;
    if constexpr (std::is_integral_v<typename decltype(element)::Value> && !std::is_same_v<Stored, bool>) {
      return with_float_type(values.dtype(), [&](auto type) {
        return map<decltype(type)>(values, [](auto x) { return float_to_integer<Stored>(x); });
      });
    } else {
      return values.to(dtype);
    }
  });
}

Tensor dequantized(const Call& call, const Tensor& input, const Tensor& scales, const Tensor& zero_points) {
  Tensor differences = input;
  if (zero_points.defined()) {
    const DType common = result_type({input, zero_points});
    differences = with_compute_type(common, [&](auto type) {
      using T = decltype(type);
      const auto subtract = [](T x, T z) { return static_cast<T>(x - z); };
      return map<T>(call, input.to(dtype_of<T>()), zero_points.to(dtype_of<T>()), subtract).to(common);
    });
  }
  const DType product = result_type({differences, scales});
  return with_compute_type(product, [&](auto type) {
    using T = decltype(type);
    const auto multiply = [](T x, T s) { return static_cast<T>(x * s); };
    return map<T>(call, differences.to(dtype_of<T>()), scales.to(dtype_of<T>()), multiply).to(product);
  });
}

namespace {

// Argument `name`, a number or a tensor of one element.
double one_number(const Call& call, std::string_view name) {
  const Tensor* tensor = call.arg(name).tensor();
  if (!tensor) return call.number(name);
  if (tensor->numel() != 1) call.fail("argument '" + std::string(name) + "' must have one element");
  return tensor->item();
}

Tensor float_input(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (input.dtype() != DType::float32 && input.dtype() != DType::float16 && input.dtype() != DType::bfloat16)
    call.fail("a float32, float16 or bfloat16 tensor expected, found " + std::string(name(input.dtype())));
  return input.to(DType::float32);
}

void check_quantized(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (plain_dtype(call.dtype("dtype", input.dtype())) != plain_dtype(input.dtype()))
    call.fail("a tensor of " + std::string(name(call.dtype("dtype", input.dtype()))) + " expected, found " +
              std::string(name(input.dtype())));
}

std::vector<Value> eval_quantize_per_tensor(const Call& call) {
  const DType dtype = call.dtype("dtype", DType::int8);
  const double scale = one_number(call, "scale");
  if (scale == 0) call.fail("the scale is 0");
  const double quant_min = one_number(call, "quant_min");
  const double quant_max = one_number(call, "quant_max");
  check_bounds(call, static_cast<std::int64_t>(quant_min), static_cast<std::int64_t>(quant_max), dtype);
  const float inverse = inverse_scale(scale);
  const auto zero_point = static_cast<float>(one_number(call, "zero_point"));
  const auto low = static_cast<float>(quant_min);
  const auto high = static_cast<float>(quant_max);
  const Tensor levels =
      map<float>(float_input(call), [&](float x) { return quantize_to_float(x, inverse, zero_point, low, high); });
  return {to_quantized(levels, plain_dtype(dtype))};
}

std::vector<Value> eval_dequantize_per_tensor(const Call& call) {
  check_quantized(call);
  const DType result = call.dtype("out_dtype", DType::float32);
  const double scale = one_number(call, "scale");
  const double zero_point = one_number(call, "zero_point");
  const Tensor& input = call.tensor("input");
  if (result == DType::float64)
    return {map<double>(input.to(result), [&](double x) { return dequantize(x, scale, zero_point); })};
  // The narrow floats round after each of the two steps.
  const Tensor differences =
      map<float>(input.to(result).to(DType::float32), [&](float x) { return x - static_cast<float>(zero_point); });
  const Tensor shifted = differences.to(result).to(DType::float32);
  return {map<float>(shifted, [&](float x) { return x * static_cast<float>(scale); }).to(result)};
}

// A vector of one number per index of `axis`, in a shape that broadcasts over `rank` dimensions.
Tensor along_axis(const Call& call, const Tensor& vector, std::int64_t rank, std::int64_t axis) {
  if (axis < -rank || axis >= rank)
    call.fail("axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) + " dimensions");
  Shape sizes(static_cast<std::size_t>(rank), 1);
  sizes[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = vector.numel();
  return vector.reshape(sizes);
}

std::vector<Value> eval_quantize_per_channel(const Call& call) {
  const DType dtype = call.dtype("dtype", DType::int8);
  const std::int64_t axis = call.integer("axis");
  check_bounds(call, call.integer("quant_min"), call.integer("quant_max"), dtype);
  const Tensor levels = quantized_levels(
      call, float_input(call), along_axis(call, call.tensor("scales"), call.tensor("input").dim(), axis),
      along_axis(call, call.tensor("zero_points"), call.tensor("input").dim(), axis),
      static_cast<double>(call.integer("quant_min")), static_cast<double>(call.integer("quant_max")));
  return {to_quantized(levels, plain_dtype(dtype))};
}

std::vector<Value> eval_dequantize_per_channel(const Call& call) {
  check_quantized(call);
  const Tensor& input = call.tensor("input");
  const std::int64_t axis = call.integer("axis");
  check_bounds(call, call.integer("quant_min"), call.integer("quant_max"), input.dtype());
  const Tensor zero_points =
      call.has("zero_points") ? along_axis(call, call.tensor("zero_points"), input.dim(), axis) : Tensor();
  const Tensor values =
      dequantized(call, input, along_axis(call, call.tensor("scales"), input.dim(), axis), zero_points);
  return {values.to(call.dtype("out_dtype", DType::float32))};
}

// Scale and zero point for the range of the whole tensor, widened to hold 0, in float32 like torch's determine_qparams.
std::vector<Value> choose_qparams(const Call& call, bool symmetric) {
  const Tensor input = float_input(call).contiguous();
  if (call.integer("quant_min") >= call.integer("quant_max")) call.fail("quant_min must be smaller than quant_max");
  if (input.numel() == 0) call.fail("no values to choose from");
  float low = input.data<float>()[0];
  float high = low;
  bool has_nan = false;
  for (std::int64_t i = 0; i < input.numel(); ++i) {
    const float x = input.data<float>()[i];
    low = std::min(low, x);
    high = std::max(high, x);
    has_nan |= std::isnan(x);
  }
  if (has_nan) low = high = std::numeric_limits<float>::quiet_NaN();
  const auto eps = static_cast<float>(call.number("eps"));
  const std::int64_t first = call.integer("quant_min"), last = call.integer("quant_max");
  const bool is_unsigned = plain_dtype(call.dtype("dtype", DType::int8)) == DType::uint8;
  const ChosenQParams chosen = symmetric ? choose_symmetric_qparams(low, high, first, last, eps, is_unsigned)
                                         : choose_affine_qparams(low, high, first, last, eps);
  return {Tensor::from<double>({chosen.scale}, {1}), Tensor::from<std::int64_t>({chosen.zero_point}, {1})};
}
std::vector<Value> eval_choose_qparams(const Call& call) { return choose_qparams(call, false); }
std::vector<Value> eval_choose_qparams_symmetric(const Call& call) { return choose_qparams(call, true); }

std::vector<Value> eval_convert_element_type(const Call& call) {
  const Tensor& input = call.tensor("input");
  return {input.to(call.dtype("dtype", input.dtype()))};
}

// quantize then dequantize in float32, without going through integers.
Tensor fake_quantized(const Call& call, const Tensor& input, const Tensor& scales, const Tensor& zero_points) {
  const Tensor z = zero_points.to(DType::float32);
  const Tensor levels = quantized_levels(call, input, scales, z, call.number("quant_min"), call.number("quant_max"));
  const auto subtract = [](float x, float zero_point) { return x - zero_point; };
  const auto multiply = [](float x, float scale) { return x * scale; };
  return map<float>(call, map<float>(call, levels, z, subtract), scales.to(DType::float32), multiply);
}

std::vector<Value> eval_fake_quant_per_channel(const Call& call) {
  const Tensor& input = call.tensor("input");
  const std::int64_t axis = call.integer("axis");
  const Tensor scales = along_axis(call, call.tensor("scales"), input.dim(), axis).to(DType::float32);
  return {
      fake_quantized(call, float_input(call), scales, along_axis(call, call.tensor("zero_points"), input.dim(), axis))};
}

constexpr KernelRow kRows[] = {
    {"quantized_decomposed.quantize_per_tensor.default", eval_quantize_per_tensor},
    {"quantized_decomposed.quantize_per_tensor.tensor", eval_quantize_per_tensor},
    {"quantized_decomposed.quantize_per_tensor.tensor2", eval_quantize_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor.default", eval_dequantize_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor.tensor", eval_dequantize_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor.tensor2", eval_dequantize_per_tensor},
    {"quantized_decomposed.quantize_per_channel.default", eval_quantize_per_channel},
    {"quantized_decomposed.dequantize_per_channel.default", eval_dequantize_per_channel},
    {"quantized_decomposed.choose_qparams.tensor", eval_choose_qparams},
    {"quantized_decomposed.choose_qparams_symmetric.tensor", eval_choose_qparams_symmetric},
    {"quantized_decomposed.fake_quant_per_channel.default", eval_fake_quant_per_channel},
    {"quantized_decomposed.convert_element_type.no_fuse", eval_convert_element_type},
};

}  // namespace

Tensor quantized_levels(const Call& call, const Tensor& input, const Tensor& scales, const Tensor& zero_points,
                        double quant_min, double quant_max) {
  // A double scale with dimensions makes torch compute in double; a 0-dim one does not.
  const DType type_of_product = result_type({input, scales});
  return with_float_type(type_of_product, [&](auto type) {
    using T = decltype(type);
    // The reciprocal is taken in the scales' own type, then rounded to the product's.
    const Tensor inverse = with_float_type(scales.dtype(), [&](auto scale_type) {
      using S = decltype(scale_type);
      return map<S>(scales.to(dtype_of<S>()), [](S s) { return S(1) / s; }).to(dtype_of<T>());
    });
    const Tensor rounded =
        map<T>(call, input.to(dtype_of<T>()), inverse, [](T x, T i) { return round_half_even(x * i); });
    const auto shift = [&](T x, T z) {
      return clamp_keeping_nan(x + z, static_cast<T>(quant_min), static_cast<T>(quant_max));
    };
    if (!zero_points.defined()) return map<T>(rounded, [&](T x) { return shift(x, 0); });
    return map<T>(call, rounded, zero_points.to(dtype_of<T>()), shift);
  });
}

KernelFamily qdq_kernels() { return kRows; }

}  // namespace qdq
