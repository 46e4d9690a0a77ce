// torchao's affine ops: one scale and zero point per block of the tensor.
#include <algorithm>
#include <limits>

#include "reference/eval.h"
#include "reference/quantize.h"
#include "reference/reduce.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

// The input seen as blocks: each dimension that holds several blocks of more than one element becomes two, [blocks,
// block]. `reduced` are the dimensions inside a block; `qparams` the sizes with those as 1.
struct Blocks {
  Shape sizes;
  Shape reduced;
  Shape qparams;
};

Blocks blocks_of(const Call& call, const Tensor& input) {
  const Shape block = call.ints("block_size");
  if (block.size() != input.sizes().size()) call.fail("block_size must have one number per dimension");
  Blocks blocks;
  for (std::size_t d = 0; d < block.size(); ++d) {
    const std::int64_t size = input.sizes()[d];
    if (block[d] < 1 || (block[d] != size && size % block[d] != 0))
      call.fail("blocks of " + to_string(block) + " do not divide sizes " + to_string(input.sizes()));
    if (block[d] != size && block[d] > 1) {
      blocks.sizes.push_back(size / block[d]);
      blocks.qparams.push_back(size / block[d]);
    }
    const bool inside = block[d] != 1;
    if (inside) blocks.reduced.push_back(static_cast<std::int64_t>(blocks.sizes.size()));
    blocks.sizes.push_back(inside ? block[d] : size);
    blocks.qparams.push_back(inside ? 1 : size);
  }
  return blocks;
}

struct Bounds {
  double low;
  double high;
};

Bounds bounds_of(const Call& call, std::string_view dtype_argument) {
  const DType dtype = plain_dtype(call.dtype(dtype_argument, DType::int8));
  const bool floating = is_floating_point(dtype);
  const double largest = dtype == DType::float8_e5m2 ? 57344 : 448;
  const Bounds all =
      floating ? Bounds{-largest, largest}
               : Bounds{static_cast<double>(integer_limits(dtype).min), static_cast<double>(integer_limits(dtype).max)};
  const Bounds bounds{call.has("quant_min") ? call.number("quant_min") : all.low,
                      call.has("quant_max") ? call.number("quant_max") : all.high};
  if (bounds.low < all.low || bounds.high > all.high)
    call.fail("quant_min and quant_max do not fit " + std::string(name(dtype)));
  return bounds;
}

Tensor optional_zero_point(const Call& call, const Shape& sizes) {
  const Tensor zero_point = call.optional_tensor("zero_point");
  return zero_point.defined() && zero_point.numel() > 0 ? zero_point.reshape(sizes) : Tensor();
}

std::vector<Value> eval_quantize_affine(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Blocks blocks = blocks_of(call, input);
  const Bounds bounds = bounds_of(call, "output_dtype");
  const Tensor zero_point = optional_zero_point(call, blocks.qparams);
  if (!zero_point.defined()) call.fail("a zero point expected");
  const Tensor levels =
      quantized_levels(call, input.reshape(blocks.sizes), call.tensor("scale").reshape(blocks.qparams), zero_point,
                       bounds.low, bounds.high);
  return {to_quantized(levels, plain_dtype(call.dtype("output_dtype", DType::int8))).reshape(input.sizes())};
}

std::vector<Value> eval_dequantize_affine(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Blocks blocks = blocks_of(call, input);
  bounds_of(call, "input_dtype");
  const DType result = call.dtype("output_dtype", DType::float32);
  Tensor values = input.to(result).to(DType::float32).reshape(blocks.sizes);
  if (const Tensor zero_point = optional_zero_point(call, blocks.qparams); zero_point.defined())
    values = map<float>(call, values, zero_point.to(DType::float32), [](float x, float z) { return x - z; });
  const Tensor scale = call.tensor("scale").reshape(blocks.qparams);
  const DType product = result_type({Tensor::meta(result, blocks.sizes), scale});
  return with_float_type(product, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor scaled =
        map<T>(call, values.to(result).to(dtype_of<T>()), scale.to(dtype_of<T>()), [](T x, T s) { return x * s; });
    return {scaled.reshape(input.sizes()).to(result)};
  });
}

std::vector<Value> eval_choose_qparams_affine(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Blocks blocks = blocks_of(call, input);
  const Bounds bounds = bounds_of(call, "target_dtype");
  const std::string& mapping = call.string("mapping_type");
  if (mapping != "SYMMETRIC" && mapping != "SYMMETRIC_NO_CLIPPING_ERR" && mapping != "ASYMMETRIC")
    call.fail("mapping type '" + mapping + "' is not known");
  if (input.dtype() != DType::float32)
    call.fail("a float32 tensor expected, found " + std::string(name(input.dtype())));
  const float eps = call.has("eps") ? static_cast<float>(call.number("eps")) : std::numeric_limits<float>::min();
  Rows rows = rows_of(input.reshape(blocks.sizes), DType::float32, blocks.reduced, call.boolean("keepdim"));
  if (call.boolean("keepdim")) {
    const Shape block = call.ints("block_size");
    rows.result_sizes.clear();
    for (std::size_t d = 0; d < block.size(); ++d) rows.result_sizes.push_back(input.sizes()[d] / block[d]);
  }
  const Tensor scales = Tensor::empty(DType::float32, rows.result_sizes);
  const Tensor zero_points = Tensor::empty(DType::float32, rows.result_sizes);
  const auto low_level = static_cast<float>(bounds.low);
  const auto high_level = static_cast<float>(bounds.high);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const float* row = rows.values.data<float>() + i * rows.length;
    float low = 0;
    float high = 0;
    for (std::int64_t k = 0; k < rows.length; ++k) {
      low = row[k] != row[k] || low != low ? std::numeric_limits<float>::quiet_NaN() : std::min(low, row[k]);
      high = row[k] != row[k] || high != high ? std::numeric_limits<float>::quiet_NaN() : std::max(high, row[k]);
    }
    float scale = (high - low) / (high_level - low_level);
    if (mapping == "SYMMETRIC") scale = std::max(-low, high) / ((high_level - low_level) / 2);
    if (mapping == "SYMMETRIC_NO_CLIPPING_ERR") scale = std::max(low / low_level, high / high_level);
    scale = scale < eps ? eps : scale;
    scales.data<float>()[i] = scale;
    zero_points.data<float>()[i] =
        mapping == "ASYMMETRIC" ? clamp_keeping_nan(low_level - round_half_even(low / scale), low_level, high_level)
                                : std::trunc(static_cast<float>((bounds.high + bounds.low + 1) / 2));
  }
  const DType zero_point_dtype =
      call.dtype("zero_point_dtype", mapping == "ASYMMETRIC" ? DType::int32 : DType::float32);
  return {scales.to(call.dtype("scale_dtype", input.dtype())), to_quantized(zero_points, zero_point_dtype)};
}

constexpr KernelRow kRows[] = {
    {"torchao.quantize_affine.default", eval_quantize_affine},
    {"torchao.dequantize_affine.default", eval_dequantize_affine},
    {"torchao.choose_qparams_affine.default", eval_choose_qparams_affine},
};

}  // namespace

KernelFamily affine_kernels() { return kRows; }

}  // namespace qdq
