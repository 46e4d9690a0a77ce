#include <algorithm>

#include "lower/int8_lowering.h"
#include "lower/kernel_list.h"
#include "ops/promotion.h"
#include "ops/schema.h"
#include "passes/qdq_ops.h"
#include "runtime/elementwise.h"
#include "runtime/int8/binary.h"
#include "runtime/int8/elementwise.h"

namespace qdq::lower {
namespace {

// int8 values as bytes that are 128 larger.
Tensor flipped(const Tensor& values) {
  const Tensor bytes = Tensor::empty(DType::uint8, values.sizes());
  const Tensor plain = values.contiguous();
  runtime::int8::kernels().flip(bytes.data<std::uint8_t>(), reinterpret_cast<const std::uint8_t*>(plain.raw_data()),
                                plain.numel());
  return bytes;
}

// A sum or a product of bytes, to the bytes of the chain's grid.
class Binary {
 public:
  Binary(bool adds, const integer::Grid& a, const integer::Grid& b, const Int8Chain& chain) : adds_(adds) {
    const integer::Grid& grid = chain.grid;
    const float low = integer::low_level(chain.bounds, grid), high = integer::high_level(chain.bounds, grid);
    addition_ = {integer::summand_multiplier(a, grid), integer::summand_multiplier(b, grid),
                 integer::addition_offset(a, b, grid), low, high};
    multiplication_ = {a.zero_point,
                       b.zero_point,
                       integer::product_multiplier(a.scale, b.scale, grid),
                       integer::bias_offset(0.0, grid),
                       low,
                       high};
  }

  bool stays_in_range() const {
    // Steps of the result that one step of an operand may be worth: far from where floats end.
    constexpr float kMost = 1 << 20;
    return adds_ ? addition_.a_multiplier + addition_.b_multiplier < kMost : multiplication_.multiplier < kMost;
  }

  runtime::Step step(const std::string& name, const Tensor& a, const Tensor& b, const Tensor& out) const {
    const runtime::int8::Kernels& kernels = runtime::int8::kernels();
    return adds_ ? addition_step(name, kernels, a, b, out, addition_)
                 : multiplication_step(name, kernels, a, b, out, multiplication_);
  }

  // The results for all bytes of one side, given the other's.
  runtime::int8::Table table(std::int32_t given, bool is_left) const {
    runtime::int8::Table table;
    for (std::int32_t byte = 0; byte < 256; ++byte)
      table[static_cast<std::size_t>(byte)] = is_left ? byte_of(given, byte) : byte_of(byte, given);
    return table;
  }

 private:
  std::uint8_t byte_of(std::int32_t a, std::int32_t b) const {
    if (adds_)
      return integer::to_byte(
          integer::rescale(a, addition_.a_multiplier, integer::rescale(b, addition_.b_multiplier, addition_.offset)),
          addition_.low, addition_.high);
    return integer::to_byte(integer::rescale((a - multiplication_.a_zero) * (b - multiplication_.b_zero),
                                             multiplication_.multiplier, multiplication_.offset),
                            multiplication_.low, multiplication_.high);
  }

  bool adds_;
  runtime::int8::Addition addition_;
  runtime::int8::Multiplication multiplication_;
};

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
  const auto grid = dequantize && is_float(*value) ? literal_grid(*dequantize, kDequantizePerTensor) : std::nullopt;
  if (!grid || emitter_.shared().aliases.is_mutated(*dequantize)) return std::nullopt;
  const Tensor* constant = value_of_(*dequantize->input(0)).tensor();
  if (!constant || !emitter_.is_constant(*constant) || plain_dtype(constant->dtype()) != grid->dtype)
    return std::nullopt;
  return OnGrid{grid->dtype == DType::int8 ? flipped(*constant) : *constant, grid->grid, grid->dtype};
}

std::optional<Value> Int8Lowering::lower_binary(const Call& call) {
  const bool adds = call.schema().target.starts_with("aten.add");
  const auto a = operand_on_grid(call, 0), b = operand_on_grid(call, 1);
  const auto chain = a && b ? find_int8_chain(call.node(), emitter_.shared()) : std::nullopt;
  if (adds && !chain)
    if (auto sum = begin_sum(call)) return sum;
  if (!a && !b) return std::nullopt;
  if (!a || !b) return refuse(call, "only one of its operands is quantized");
  if (!chain) return refuse(call, "its result is not quantized");
  if (adds && call.number("alpha") != 1.0) return refuse(call, "the sum is weighted");
  const Shape sizes = broadcast(call, a->bytes.sizes(), b->bytes.sizes());
  if (numel(sizes) == 0) return refuse(call, "its result is empty");

  const Binary binary(adds, a->grid, b->grid, *chain);
  if (!binary.stays_in_range()) return refuse(call, "its results are far beyond the range of their grid");
  // What a constant of one element does to the other side fits a table.
  for (const OnGrid* number : {&*a, &*b}) {
    const Tensor& bytes = number == &*a ? b->bytes : a->bytes;
    if (number->bytes.numel() != 1 || !emitter_.is_constant(number->bytes) || bytes.sizes() != sizes ||
        !bytes.is_dense())
      continue;
    const std::int32_t byte = *number->bytes.data<std::uint8_t>();
    return postpone(*chain, sizes, [this, bytes, table = binary.table(byte, number == &*a), chain = *chain] {
      const Tensor out = emitter_.allocate(DType::uint8, bytes.sizes(), bytes.strides());
      emitter_.emit(runtime::int8::table_step(emitter_.name(), runtime::int8::kernels(), bytes, out, table));
      return chain_value(chain, out);
    });
  }
  return postpone(*chain, sizes, [this, sizes, binary, a = a->bytes, b = b->bytes, chain = *chain] {
    const Tensor out = allocate_result(a, b, sizes, emitter_);
    const Tensor left = aligned(a, out, emitter_), right = aligned(b, out, emitter_);
    emitter_.emit(binary.step(emitter_.name(), left, right, out));
    return chain_value(chain, out);
  });
}

}  // namespace qdq::lower
