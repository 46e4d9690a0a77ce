#include "pipeline/evaluate_constant.h"

#include <algorithm>
#include <span>

#include "ops/schema.h"
#include "reference/kernels.h"
#include "runtime/kernels/kernels.h"

namespace qdq {
namespace {

constexpr std::int64_t kLimit = 1 << 20;  // the kernels' bound on quantized values and zero points

// A vector of float32 scales and one of integers, one number per row of `input`.
bool are_qparams_of_rows(const Tensor& input, const Tensor& scales, const Tensor& zero_points) {
  return scales.dtype() == DType::float32 && scales.dim() == 1 && is_integral(zero_points.dtype()) &&
         zero_points.dim() == 1 && input.dim() > 0 && scales.size(0) == input.size(0) &&
         zero_points.size(0) == input.size(0);
}

// The rows of `input` quantized each by its own scale. Undefined where the reference has to do it.
Tensor quantized_rows(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Tensor &scales = call.tensor("scales"), &zero_points = call.tensor("zero_points");
  const DType dtype = plain_dtype(call.dtype("dtype", DType::int8));
  const std::int64_t axis = call.integer("axis"), low = call.integer("quant_min"), high = call.integer("quant_max");
  if (dtype != DType::int8 && dtype != DType::uint8) return {};
  const IntegerLimits limits = integer_limits(dtype);
  const bool fits = input.dtype() == DType::float32 && input.numel() > 0 && axis == 0 && low >= limits.min &&
                    high <= limits.max && low <= high && are_qparams_of_rows(input, scales, zero_points);
  if (!fits) return {};
  const Tensor scale = scales.contiguous(), zeros = zero_points.to(DType::int64).contiguous();
  const std::span zero(zeros.data<std::int64_t>(), static_cast<std::size_t>(zeros.numel()));
  if (std::ranges::any_of(zero, [](std::int64_t z) { return z < -kLimit || z > kLimit; })) return {};

  const Tensor values = input.contiguous();
  Tensor result = Tensor::empty(dtype, input.sizes());
  const std::int64_t rows = input.size(0), width = input.numel() / rows;
  const auto quantize_with = [&](auto kernel, auto* to) {
    for (std::int64_t row = 0; row < rows; ++row)
      kernel(to + row * width, values.data<float>() + row * width, width, 1.0f / scale.data<float>()[row],
             static_cast<std::int32_t>(zero[static_cast<std::size_t>(row)]), static_cast<float>(low),
             static_cast<float>(high));
  };
  if (dtype == DType::int8)
    quantize_with(runtime::kernels().quantize_i8, result.data<std::int8_t>());
  else
    quantize_with(runtime::kernels().quantize_u8, result.data<std::uint8_t>());
  return result;
}

}  // namespace

std::vector<Value> evaluate_constant(const Call& call) {
  if (call.schema().target == "quantized_decomposed.quantize_per_channel.default")
    if (Tensor result = quantized_rows(call); result.defined()) return {result};
  return evaluate(call);
}

}  // namespace qdq
