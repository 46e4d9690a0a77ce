// torch's quantized_decomposed ops with one scale and zero point per row of the last dimension (a token), or per group of
// neighbours in it. To the bit: each step rounds to the dtype that torch's promotion gives.
#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/eval.h"
#include "reference/quantize.h"
#include "reference/reduce.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

template <typename Fn>
Tensor combine(const Call& call, const Tensor& a, const Tensor& b, Fn fn) {
  const DType dtype = result_type({a, b});
  return with_compute_type(dtype, [&](auto type) {
    using T = decltype(type);
    return map<T>(call, a.to(dtype_of<T>()), b.to(dtype_of<T>()), fn).to(dtype);
  });
}

// clamp(round(input * (1 / scales) + zero_points), quant_min, quant_max): unlike the per-tensor ops, these add before they
// round.
Tensor quantized(const Call& call, const Tensor& input, const Tensor& scales, const Tensor& zero_points) {
  const DType dtype = call.dtype("dtype", DType::int8);
  check_bounds(call, call.integer("quant_min"), call.integer("quant_max"), dtype);
  const Tensor inverse = with_float_type(scales.dtype(), [&](auto type) {
    using T = decltype(type);
    return map<T>(scales.to(dtype_of<T>()), [](T s) { return T(1) / s; }).to(scales.dtype());
  });
  const Tensor product = combine(call, input, inverse, [](auto x, auto i) { return x * i; });
  const Tensor shifted = combine(call, product, zero_points, [](auto x, auto z) { return x + z; });
  return with_float_type(shifted.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto low = static_cast<T>(call.number("quant_min"));
    const auto high = static_cast<T>(call.number("quant_max"));
    const auto clamped = [&](T x) { return clamp_keeping_nan(round_half_even(x), low, high); };
    return to_quantized(map<T>(shifted.to(dtype_of<T>()), clamped), plain_dtype(dtype));
  });
}

void check_one_per_token(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (input.dim() == 0) call.fail("a tensor with dimensions expected");
  const std::int64_t tokens = numel(std::span(input.sizes()).first(input.sizes().size() - 1));
  for (const char* argument : {"scales", "zero_points"})
    if (call.tensor(argument).numel() != tokens)
      call.fail(std::to_string(tokens) + " " + argument + " expected, found " +
                std::to_string(call.tensor(argument).numel()));
}

std::vector<Value> eval_quantize_per_token(const Call& call) {
  check_one_per_token(call);
  return {quantized(call, call.tensor("input"), call.tensor("scales"), call.tensor("zero_points"))};
}

std::vector<Value> eval_dequantize_per_token(const Call& call) {
  const Tensor values = dequantized(call, call.tensor("input"), call.tensor("scales"), call.tensor("zero_points"));
  return {values.to(call.dtype("output_dtype", DType::float32))};
}

// The input as [groups, group_size].
Tensor grouped(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (input.dim() != 2) call.fail("a tensor of 2 dimensions expected");
  std::int64_t group = call.integer("group_size");
  if (group > input.size(1) && call.tensor("scales").size(-1) == 1) group = input.size(1);
  if (group < 2 || input.size(1) % group != 0)
    call.fail("groups of " + std::to_string(group) + " do not divide rows of " + std::to_string(input.size(1)));
  return input.reshape({input.numel() / group, group});
}

std::vector<Value> eval_quantize_per_channel_group(const Call& call) {
  const Tensor groups = grouped(call);
  const Tensor wide = contiguous_as<float>(groups);
  if (std::any_of(wide.data<float>(), wide.data<float>() + wide.numel(), [](float x) { return std::isnan(x); }))
    call.fail("the tensor has NaNs");
  const Tensor levels =
      quantized(call, groups, call.tensor("scales").reshape({-1, 1}), call.tensor("zero_points").reshape({-1, 1}));
  return {levels.reshape(call.tensor("input").sizes())};
}

std::vector<Value> eval_dequantize_per_channel_group(const Call& call) {
  const Tensor zero_points =
      call.has("zero_points") ? call.tensor("zero_points").reshape({-1, 1}) : Tensor::scalar<std::int32_t>(0);
  const Tensor values = dequantized(call, grouped(call), call.tensor("scales").reshape({-1, 1}), zero_points);
  return {values.reshape(call.tensor("input").sizes()).to(call.dtype("output_dtype", DType::float32))};
}

struct Range {
  float low;
  float high;
};

// Smallest and largest of a row, NaN if it has one.
Range range_of(const float* row, std::int64_t length) {
  Range range{row[0], row[0]};
  for (std::int64_t i = 0; i < length; ++i) {
    if (std::isnan(row[i])) return {row[i], row[i]};
    range = {std::min(range.low, row[i]), std::max(range.high, row[i])};
  }
  return range;
}

// Rows of the last dimension in float32; each keeps its dimension as 1.
Rows tokens_of(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (!is_floating_point(input.dtype()) || input.dtype() == DType::float64 || input.dim() == 0 || input.size(-1) == 0)
    call.fail("a float32, float16 or bfloat16 tensor with values expected");
  return rows_of(input, DType::float32, {input.dim() - 1}, true);
}

// `values` as they come out of a step that torch computes in `dtype`.
float rounded(float value, DType dtype) {
  return dtype == DType::float32 ? value : static_cast<float>(Tensor::scalar(value).to(dtype).item());
}

// max(abs(row), 1e-5) / 127 and 0.
std::vector<Value> eval_choose_per_token(const Call& call) {
  if (call.dtype("dtype", DType::int8) != DType::int8) call.fail("qparams per token are for int8");
  const Rows rows = tokens_of(call);
  const DType input = call.tensor("input").dtype();
  const DType dtype = input == DType::float16 ? DType::float32 : input;  // float16's range is too small
  const Tensor scales = reduce_rows<float, float>(rows, [&](const float* row, std::int64_t length) {
    const Range range = range_of(row, length);
    const float largest = std::max(std::abs(range.low), std::abs(range.high));
    const float least = rounded(1e-5f, dtype);
    return rounded((largest < least ? least : largest) / 127.0f, dtype);
  });
  return {scales.to(dtype), Tensor::empty(dtype, rows.result_sizes)};
}

// XNNPACK's choice for int8: the end of the range with the smaller error decides the zero point.
std::vector<Value> eval_choose_per_token_asymmetric(const Call& call) {
  const Rows rows = tokens_of(call);
  const DType dtype = call.tensor("input").dtype();
  const auto r = [&](float value) { return rounded(value, dtype); };
  const Tensor scales = Tensor::empty(DType::float64, rows.result_sizes);
  const Tensor zero_points = Tensor::empty(DType::int64, rows.result_sizes);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const Range range = range_of(rows.values.data<float>() + i * rows.length, rows.length);
    const float low = range.low > 0 ? 0 : range.low;
    const float high = range.high < 0 ? 0 : range.high;
    const float smallest = r(std::numeric_limits<float>::epsilon());
    float scale = r(r(high - low) / 255.0f);
    if (scale < smallest) scale = smallest;
    const float below = r(low / scale);
    const float above = r(high / scale);
    const bool by_low = r(r(-128.0f + below) + r(127.0f + above)) > 0;
    const float zero_point = by_low ? r(-128.0f - below) : r(127.0f - above);
    scales.data<double>()[i] = static_cast<double>(scale);
    zero_points.data<std::int64_t>()[i] =
        float_to_integer<std::int64_t>(round_half_even(clamp_keeping_nan(zero_point, -128.0f, 127.0f)));
  }
  return {scales, zero_points};
}

constexpr KernelRow kRows[] = {
    {"quantized_decomposed.quantize_per_token.default", eval_quantize_per_token},
    {"quantized_decomposed.dequantize_per_token.default", eval_dequantize_per_token},
    {"quantized_decomposed.quantize_per_channel_group.default", eval_quantize_per_channel_group},
    {"quantized_decomposed.dequantize_per_channel_group.default", eval_dequantize_per_channel_group},
    {"quantized_decomposed.choose_qparams_per_token.default", eval_choose_per_token},
    {"quantized_decomposed.choose_qparams_per_token_asymmetric.default", eval_choose_per_token_asymmetric},
    {"quantized_decomposed._choose_qparams_per_token_asymmetric_impl.default", eval_choose_per_token_asymmetric},
};

}  // namespace

KernelFamily per_token_kernels() { return kRows; }

}  // namespace qdq
