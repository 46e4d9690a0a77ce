#include <cmath>

#include "lower/int8_lowering.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "runtime/int8/rows.h"

namespace qdq::lower {
namespace {

using runtime::AffineParams;
using runtime::int8::RowResults;
using runtime::int8::Rows;

AffineParams params_of(const integer::Grid& grid) { return {grid.scale, grid.zero_point, grid.low, grid.high}; }

Tensor as_rows(const Tensor& plain, std::int64_t n) {
  const Shape rows = {plain.numel() / n, n};
  return plain.as_strided(rows, contiguous_strides(rows), plain.storage_offset());
}

// A contiguous constant of n floats, or undefined.
bool is_row_of_constants(const Tensor& t, std::int64_t n, const Emitter& emitter) {
  return !t.defined() || (is_float(t) && t.numel() == n && t.is_contiguous() && emitter.is_constant(t));
}

}  // namespace

// The quantize node behind the node, as a chain, and whether others read the float value too.
Int8Lowering::RowReaders Int8Lowering::readers_of_rows(const Node& node) const {
  const Shared& shared = emitter_.shared();
  auto chain = find_int8_chain(node, shared);
  if (chain && !std::isfinite(chain->bounds.low) && !std::isfinite(chain->bounds.high)) return {chain, false};
  if (shared.aliases.is_mutated(node)) return {};
  for (const Node* user : node.users()) {
    const auto grid = literal_grid(*user, "quantized_decomposed.quantize_per_tensor.default");
    if (!grid || user->input(0) != &node || shared.aliases.is_mutated(*user)) continue;
    chain.emplace();
    chain->quantize = user;
    chain->grid = grid->grid;
    chain->dtype = grid->dtype;
    return {chain, true};
  }
  return {};
}

// `emit` emits the step from rows to rows of `n` elements. Nothing when neither edge is quantized.
std::optional<Value> Int8Lowering::lower_rows(const Call& call, const Tensor& input, std::int64_t n,
                                              const EmitRows& emit) {
  const auto on_grid = emitter_.on_grid(input);
  if (input.numel() == 0 || (!on_grid && !is_float(input))) return std::nullopt;
  const RowReaders readers = readers_of_rows(call.node());
  if (!on_grid && !readers.chain) return std::nullopt;
  const Tensor plain = emitter_.contiguous(on_grid ? on_grid->bytes : input);
  const Rows src = {as_rows(plain, n), on_grid ? std::optional(params_of(on_grid->grid)) : std::nullopt};
  RowResults results;
  Tensor values, bytes;
  if (!readers.chain || readers.also_values) {
    values = emitter_.allocate(DType::float32, input.sizes());
    results.values = as_rows(values, n);
  }
  if (readers.chain) {
    bytes = emitter_.allocate(DType::uint8, input.sizes());
    results.bytes = {as_rows(bytes, n), params_of(readers.chain->grid)};
  }
  emit(src, results);
  if (!readers.chain) return Value(values);
  const Value unread = postpone(*readers.chain, input.sizes(),
                                [this, chain = *readers.chain, bytes] { return chain_value(chain, bytes); });
  return readers.also_values ? Value(values) : unread;
}

// A float sum that a quantized layer norm reads first is added there, row by row.
std::optional<Value> Int8Lowering::begin_sum(const Call& call) {
  const Node& node = call.node();
  const Tensor* a = call.arg("self").tensor();
  const Tensor* b = call.arg("other").tensor();
  const AliasAnalysis& aliases = emitter_.shared().aliases;
  const auto joins = [&](const Tensor* t, std::size_t side) {
    const Node* source = node.input(side);
    return t && source && is_float(*t) && t->is_contiguous() && !aliases.is_mutated(*source) &&
           !emitter_.open_step(*source);
  };
  if (call.schema().mutates() || aliases.is_mutated(node) || !joins(a, 0) || !joins(b, 1) || a->sizes() != b->sizes() ||
      a->numel() == 0 || call.number("alpha") != 1.0)
    return std::nullopt;
  const Node* norm = nullptr;
  for (const Node* user : node.users())
    if (!norm || user->is_before(*norm)) norm = user;
  if (!norm || !norm->is("aten.layer_norm.default") || norm->input(0) != &node || norm->meta.find(kRunInFloat) ||
      !readers_of_rows(*norm).chain)
    return std::nullopt;
  const bool is_read = node.num_users() > 1 || emitter_.shared().kept.contains(node.name());
  const Tensor sum = emitter_.allocate(DType::float32, a->sizes());
  sums_[norm] = {*a, *b, sum, is_read};
  return Value(sum);
}

std::optional<Value> Int8Lowering::lower_layer_norm(const Call& call) {
  const Tensor gamma = call.optional_tensor("weight"), beta = call.optional_tensor("bias");
  const std::int64_t n = numel(call.ints("normalized_shape"));
  const auto sum = sums_.find(&call.node());
  if (!is_row_of_constants(gamma, n, emitter_) || !is_row_of_constants(beta, n, emitter_)) {
    if (sum != sums_.end()) {
      const PendingSum& s = sum->second;
      emitter_.emit(runtime::binary_step(emitter_.name() + ".sum", runtime::BinaryOp::add, s.a, s.b, s.sum));
    }
    return std::nullopt;
  }
  const auto eps = static_cast<float>(call.number("eps"));
  return lower_rows(call, call.tensor("input"), n, [&](const Rows& src, const RowResults& results) {
    runtime::int8::LayerNorm norm = {src, {}, {}, gamma, beta, eps, results};
    if (sum != sums_.end()) {
      norm.src = {as_rows(sum->second.a, n)};
      norm.addend = as_rows(sum->second.b, n);
      if (sum->second.is_read) norm.sum = as_rows(sum->second.sum, n);
    }
    emitter_.emit(runtime::int8::layer_norm_step(emitter_.name(), norm));
  });
}

std::optional<Value> Int8Lowering::lower_softmax(const Call& call) {
  const Tensor& input = call.tensor("self");
  const bool converts = call.schema().find_arg("dtype") && call.dtype("dtype", DType::float32) != DType::float32;
  if (input.dim() == 0 || call.dim("dim", input.dim()) != input.dim() - 1 || converts) return std::nullopt;
  return lower_rows(call, input, input.size(-1), [&](const Rows& src, const RowResults& results) {
    emitter_.emit(runtime::int8::softmax_step(emitter_.name(), src, results));
  });
}

}  // namespace qdq::lower
