#include <algorithm>

#include "lower/int8_lowering.h"
#include "lower/kernel_list.h"
#include "ops/promotion.h"
#include "ops/schema.h"
#include "runtime/elementwise.h"
#include "runtime/int8/binary.h"

namespace qdq::lower {
namespace {

// Steps of the result that one step of an operand may be worth: far from where floats end.
constexpr float kLargestMultiplier = 1 << 20;
constexpr std::string_view kDequantize = "quantized_decomposed.dequantize_per_tensor.default";

// int8 values as bytes that are 128 larger.
Tensor flipped(const Tensor& values) {
  const Tensor bytes = Tensor::empty(DType::uint8, values.sizes());
  const Tensor plain = values.contiguous();
  for (std::int64_t i = 0; i < bytes.numel(); ++i)
    bytes.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(plain.data<std::int8_t>()[i] ^ 0x80);
  return bytes;
}

bool is_number(const Value& value) {
  return std::holds_alternative<std::int64_t>(value.v) || std::holds_alternative<double>(value.v);
}

// In the order of dimensions of the operand that has the result's sizes.
Tensor allocate_result(const Tensor& a, const Tensor& b, const Shape& sizes, Emitter& emitter) {
  for (const Tensor* t : {&a, &b})
    if (t->sizes() == sizes) return emitter.allocate(DType::uint8, sizes, strides_in_order_of(*t, sizes));
  return emitter.allocate(DType::uint8, sizes);
}

// The operand as a view of the result's sizes; copied where it has these but lies in memory in another order.
Tensor aligned(const Tensor& operand, const Tensor& out, Emitter& emitter) {
  if (operand.sizes() != out.sizes() || operand.strides() == out.strides())
    return runtime::broadcast_to(operand, out.sizes());
  const Tensor copy = emitter.allocate(DType::uint8, out.sizes(), out.strides());
  emitter.emit(runtime::copy_step(emitter.name() + ".input", operand, copy));
  return copy;
}

}  // namespace

// The operand of a binary op: a dequantized value, or a dequantized constant, whose float value exists for readers in float.
std::optional<OnGrid> Int8Lowering::operand_on_grid(const Call& call, std::size_t index) {
  const Tensor* value = call.arg(call.schema().args.at(index).name).tensor();
  if (!value || !value->defined()) return std::nullopt;
  if (auto on_grid = emitter_.on_grid(*value)) return on_grid;
  const Node* dequantize = call.node().input(index);
  const auto grid = dequantize && is_float(*value) ? literal_grid(*dequantize, kDequantize) : std::nullopt;
  if (!grid || emitter_.shared().aliases.is_mutated(*dequantize)) return std::nullopt;
  const Tensor* constant = value_of_(*dequantize->input(0)).tensor();
  if (!constant || !emitter_.is_constant(*constant) || plain_dtype(constant->dtype()) != grid->dtype)
    return std::nullopt;
  return OnGrid{grid->dtype == DType::int8 ? flipped(*constant) : *constant, grid->grid, grid->dtype};
}

std::optional<Value> Int8Lowering::lower_binary(const Call& call) {
  const bool adds = call.schema().target.starts_with("aten.add");
  const auto a = operand_on_grid(call, 0), b = operand_on_grid(call, 1);
  if (a && is_number(call.arg("other")) && !call.schema().mutates()) return lower_unary(call);
  const auto chain = a && b ? find_int8_chain(call.node(), emitter_.shared()) : std::nullopt;
  if (adds && !chain)
    if (auto sum = begin_sum(call)) return sum;
  if (!a && !b) return std::nullopt;
  if (!a || !b) return refuse(call, "only one of its operands is quantized");
  if (!chain) return refuse(call, "its result is not quantized");
  if (adds && call.number("alpha") != 1.0) return refuse(call, "the sum is weighted");
  const Shape sizes = broadcast(call, a->bytes.sizes(), b->bytes.sizes());
  if (numel(sizes) == 0) return refuse(call, "its result is empty");

  const integer::Grid& grid = chain->grid;
  const float low = integer::low_level(chain->bounds, grid), high = integer::high_level(chain->bounds, grid);
  const runtime::int8::Addition addition = {integer::summand_multiplier(a->grid, grid),
                                            integer::summand_multiplier(b->grid, grid),
                                            integer::addition_offset(a->grid, b->grid, grid), low, high};
  const runtime::int8::Multiplication multiplication = {a->grid.zero_point,
                                                        b->grid.zero_point,
                                                        integer::product_multiplier(a->grid.scale, b->grid.scale, grid),
                                                        integer::bias_offset(0.0, grid),
                                                        low,
                                                        high};
  const float largest = adds ? addition.a_multiplier + addition.b_multiplier : multiplication.multiplier;
  if (!(largest < kLargestMultiplier)) return refuse(call, "its results are far beyond the range of their grid");
  return postpone(*chain, sizes, [=, this, a = a->bytes, b = b->bytes, chain = *chain] {
    const Tensor out = allocate_result(a, b, sizes, emitter_);
    const Tensor left = aligned(a, out, emitter_), right = aligned(b, out, emitter_);
    const runtime::int8::Kernels& kernels = runtime::int8::kernels();
    emitter_.emit(adds ? addition_step(emitter_.name(), kernels, left, right, out, addition)
                       : multiplication_step(emitter_.name(), kernels, left, right, out, multiplication));
    return chain_value(chain, out);
  });
}

}  // namespace qdq::lower
