#pragma once
#include <optional>

#include "lower/emitter.h"
#include "lower/int8_chain.h"
#include "runtime/int8/matmul.h"

// What products of two activations share, those within attention included.
namespace qdq::lower {

// Sums of (a - a_zero) * (b - b_zero) are put together from four of this many products each.
constexpr std::int64_t kMaxProducts = integer::kMaxDepth / 4;

// To the chain's grid, or to floats.
runtime::int8::TensorRescale product_rescale(double a_scale, double b_scale, const std::optional<Int8Chain>& chain);
bool stays_in_range(std::int64_t products, const runtime::int8::TensorRescale& rescale);

inline runtime::int8::Operand operand_of(const OnGrid& value) { return {value.bytes, value.grid.zero_point}; }
// Its rows have their elements side by side.
OnGrid with_adjacent_rows(const OnGrid& value, Emitter& emitter);

// [..., M, K] and [..., K, N]: the same sizes in front.
bool have_same_batches(const Tensor& a, const Tensor& b);
Shape product_sizes(const Tensor& a, const Tensor& b);

}  // namespace qdq::lower
