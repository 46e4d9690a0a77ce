#include <cmath>

#include "lower/int8_lowering.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "runtime/int8/rows.h"

namespace qdq::lower {
namespace {

using runtime::AffineParams;
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

// `emit` emits the step from rows to rows of `n` elements. Nothing when neither edge is quantized.
std::optional<Value> Int8Lowering::lower_rows(const Call& call, const Tensor& input, std::int64_t n,
                                              std::function<void(const Rows&, const Rows&)> emit) {
  const auto on_grid = emitter_.on_grid(input);
  const AliasAnalysis& aliases = emitter_.shared().aliases;
  const Node* source = call.node().input(0);
  const bool stays = on_grid || (is_float(input) && source && !aliases.is_mutated(*source));
  const auto chain = stays ? find_int8_chain(call.node(), emitter_.shared()) : std::nullopt;
  const bool clamps = chain && (std::isfinite(chain->bounds.low) || std::isfinite(chain->bounds.high));
  if (input.numel() == 0 || clamps || (!on_grid && !chain)) return std::nullopt;
  const Tensor plain = emitter_.contiguous(on_grid ? on_grid->bytes : input);
  const Rows src = {as_rows(plain, n), on_grid ? std::optional(params_of(on_grid->grid)) : std::nullopt};
  const Shape sizes = input.sizes();
  if (!chain) {
    const Tensor out = emitter_.allocate(DType::float32, sizes);
    emit(src, {as_rows(out, n)});
    return Value(out);
  }
  return postpone(*chain, sizes, [this, chain = *chain, src, sizes, n, emit = std::move(emit)] {
    const Tensor out = emitter_.allocate(DType::uint8, sizes);
    emit(src, {as_rows(out, n), params_of(chain.grid)});
    return chain_value(chain, out);
  });
}

std::optional<Value> Int8Lowering::lower_layer_norm(const Call& call) {
  const Tensor gamma = call.optional_tensor("weight"), beta = call.optional_tensor("bias");
  const std::int64_t n = numel(call.ints("normalized_shape"));
  if (!is_row_of_constants(gamma, n, emitter_) || !is_row_of_constants(beta, n, emitter_)) return std::nullopt;
  const auto eps = static_cast<float>(call.number("eps"));
  return lower_rows(call, call.tensor("input"), n, [this, gamma, beta, eps](const Rows& src, const Rows& dst) {
    emitter_.emit(runtime::int8::layer_norm_step(emitter_.name(), src, gamma, beta, dst, eps));
  });
}

std::optional<Value> Int8Lowering::lower_softmax(const Call& call) {
  const Tensor& input = call.tensor("self");
  const bool converts = call.schema().find_arg("dtype") && call.dtype("dtype", DType::float32) != DType::float32;
  if (input.dim() == 0 || call.dim("dim", input.dim()) != input.dim() - 1 || converts) return std::nullopt;
  return lower_rows(call, input, input.size(-1), [this](const Rows& src, const Rows& dst) {
    emitter_.emit(runtime::int8::softmax_step(emitter_.name(), src, dst));
  });
}

}  // namespace qdq::lower
