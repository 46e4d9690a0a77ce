#pragma once
#include <optional>

#include "ops/call.h"

namespace qdq {

// Infer functions that several families use, and the shape arithmetic behind them.

Value meta_value(DType dtype, Shape sizes);
// Result with dtype and sizes of argument "self" or "input", whichever the op has.
std::vector<Value> infer_same_as_first(const Call& call);
// In-place ops: the result is the first argument itself.
std::vector<Value> infer_first_itself(const Call& call);
// Ops that return nothing.
std::vector<Value> infer_nothing(const Call& call);

// The first argument, which must be a tensor.
const Tensor& first_tensor(const Call& call);

// A list of dimensions made non-negative, sorted. Empty or None: all of them. Throws for repeated or unknown ones.
Shape reduced_dims(const Call& call, std::string_view name, std::int64_t rank);

// `wanted` with its -1 replaced so that the product is `total`. Throws when that is impossible.
Shape complete_sizes(const Call& call, Shape wanted, std::int64_t total);
// Strides under which memory laid out as (sizes, strides) reads as `wanted`; nothing when it needs a copy.
std::optional<Shape> view_strides(std::span<const std::int64_t> sizes, std::span<const std::int64_t> strides,
                                  std::span<const std::int64_t> wanted);

// Number of positions of a sliding window (convolution or pooling) along one dimension:
// floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1, or with ceil_mode the ceiling, without a window that starts
// beyond the padded left edge plus size. Throws when it is not positive.
struct Window {
  std::int64_t kernel;
  std::int64_t stride;
  std::int64_t padding;
  std::int64_t dilation = 1;
};
std::int64_t window_positions(const Call& call, std::int64_t size, const Window& window, bool ceil_mode);

}  // namespace qdq
