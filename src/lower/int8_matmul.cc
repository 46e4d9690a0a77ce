#include "lower/int8_matmul.h"

#include <cmath>

#include "lower/int8_lowering.h"
#include "ops/schema.h"

namespace qdq::lower {

using runtime::int8::TensorRescale;

TensorRescale product_rescale(double a_scale, double b_scale, const std::optional<Int8Chain>& chain) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (!chain) return {static_cast<float>(a_scale * b_scale), 0.0f, -kInfinity, kInfinity};
  return {integer::product_multiplier(a_scale, b_scale, chain->grid), integer::bias_offset(0.0, chain->grid),
          integer::low_level(chain->bounds, chain->grid), integer::high_level(chain->bounds, chain->grid)};
}

bool stays_in_range(std::int64_t products, const TensorRescale& rescale) {
  constexpr double kLimit = 1 << 30;
  return static_cast<double>(products) * 255 * 255 * std::abs(static_cast<double>(rescale.multiplier)) < kLimit;
}

OnGrid with_adjacent_rows(const OnGrid& value, Emitter& emitter) {
  if (value.bytes.strides().back() == 1 || value.bytes.size(-1) == 1) return value;
  return {emitter.contiguous(value.bytes), value.grid, value.dtype};
}

bool have_same_batches(const Tensor& a, const Tensor& b) {
  return a.dim() == b.dim() && a.dim() >= 2 && std::equal(a.sizes().begin(), a.sizes().end() - 2, b.sizes().begin());
}

Shape product_sizes(const Tensor& a, const Tensor& b) {
  Shape sizes = a.sizes();
  sizes.back() = b.size(-1);
  return sizes;
}

namespace {

const Tensor& left_of(const Call& call) { return call.tensor("self"); }
const Tensor& right_of(const Call& call) { return call.tensor(call.schema().find_arg("other") ? "other" : "mat2"); }

}  // namespace

std::optional<Value> Int8Lowering::lower_matmul(const Call& call) {
  if (const auto known = attentions_.find(&call.node()); known != attentions_.end())
    return lower_attention(call, known->second);
  const Tensor& a_value = left_of(call);
  const Tensor& b_value = right_of(call);
  const auto a = emitter_.on_grid(a_value), b = emitter_.on_grid(b_value);
  if (!a && !b) return std::nullopt;
  if (!a || !b) return refuse(call, "only one of its operands is quantized");
  if (!have_same_batches(a_value, b_value) || a_value.numel() == 0 || b_value.numel() == 0)
    return refuse(call, "the engine takes operands [..., M, K] and [..., K, N] with the same batch dimensions");
  const std::int64_t products = a_value.size(-1);
  if (products > kMaxProducts) return refuse(call, "its sums may exceed int32");
  if (auto value = begin_attention(call, *a, *b)) return value;
  const auto chain = find_int8_chain(call.node(), emitter_.shared());
  const TensorRescale rescale = product_rescale(a->grid.scale, b->grid.scale, chain);
  if (chain && !stays_in_range(products, rescale))
    return refuse(call, "its results are far beyond the range of their grid");
  const Shape sizes = product_sizes(a_value, b_value);
  const auto emit = [this, sizes, rescale, a = *a, b = *b](DType dtype) {
    const Tensor dst = emitter_.allocate(dtype, sizes);
    emitter_.emit(
        runtime::int8::matmul_step(emitter_.name(), runtime::int8::kernels(),
                                   {operand_of(with_adjacent_rows(a, emitter_)), operand_of(b), dst, rescale}));
    return dst;
  };
  if (!chain) return Value(emit(DType::float32));
  return postpone(*chain, sizes, [this, emit, chain = *chain] { return chain_value(chain, emit(DType::uint8)); });
}

}  // namespace qdq::lower
