#include "lower/kernel_list.h"
#include "runtime/elementwise.h"

namespace qdq::lower {
namespace {

constexpr std::int64_t kLimit = 1 << 20;  // the kernels' bound on quant_min and quant_max

}  // namespace

std::optional<runtime::AffineParams> affine_params_of(const Call& call, const Emitter& emitter) {
  const auto number = [&](const char* name) -> std::optional<double> {
    const Tensor* tensor = call.arg(name).tensor();
    if (!tensor) return call.number(name);
    if (!emitter.is_constant(*tensor) || tensor->numel() != 1) return std::nullopt;
    return tensor->item();
  };
  const auto scale = number("scale");
  const auto zero_point = number("zero_point");
  const std::int64_t low = call.integer("quant_min");
  const std::int64_t high = call.integer("quant_max");
  if (!scale || !zero_point || low < -kLimit || high > kLimit) return std::nullopt;
  return runtime::AffineParams{*scale, static_cast<std::int32_t>(*zero_point), static_cast<std::int32_t>(low),
                               static_cast<std::int32_t>(high)};
}

namespace {

bool has_kernel(DType dtype) {
  const DType plain = plain_dtype(dtype);
  return plain == DType::int8 || plain == DType::uint8 || plain == DType::int16;
}

std::optional<Value> lower_quantize(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("input");
  const DType dtype = plain_dtype(call.dtype("dtype", DType::uint8));
  const auto params = affine_params_of(call, emitter);
  if (!is_float(input) || !has_kernel(dtype) || !params) return std::nullopt;
  const Tensor out = emitter.allocate_result(dtype, input.sizes(), input);
  emitter.emit(runtime::quantize_step(emitter.name(), input, out, *params));
  return Value(out);
}

std::optional<Value> lower_dequantize(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("input");
  const auto params = affine_params_of(call, emitter);
  if (!has_kernel(input.dtype()) || !params || call.dtype("out_dtype", DType::float32) != DType::float32)
    return std::nullopt;
  const Tensor out = emitter.allocate_result(DType::float32, input.sizes(), input);
  emitter.emit(runtime::dequantize_step(emitter.name(), input, out, *params));
  return Value(out);
}

constexpr KernelRow kRows[] = {
    {"quantized_decomposed.quantize_per_tensor.default", lower_quantize},
    {"quantized_decomposed.dequantize_per_tensor.default", lower_dequantize},
};

}  // namespace

KernelFamily qdq_kernels() { return kRows; }

}  // namespace qdq::lower
