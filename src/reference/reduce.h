#pragma once
// Reductions see their input as [kept, reduced]: the kept dimensions first, what is reduced in one row.
#include "ops/shapes.h"
#include "reference/eval.h"

namespace qdq {

struct Rows {
  Tensor values;  // contiguous, [count, length]
  std::int64_t count;
  std::int64_t length;
  Shape result_sizes;  // without the reduced dimensions, or with 1 in their place
};

// `dims` ascending, non-negative; empty only for a 0-dim tensor.
Rows rows_of(const Tensor& tensor, DType dtype, const Shape& dims, bool keepdim);
// By the call's arguments "dim" and "keepdim", where the op has them; all dimensions otherwise.
Rows rows_of(const Call& call, DType dtype);

// One result per row: fn(first element, length).
template <typename T, typename R, typename Fn>
Tensor reduce_rows(const Rows& rows, Fn&& fn) {
  const Tensor out = Tensor::empty(dtype_of<R>(), rows.result_sizes);
  for (std::int64_t i = 0; i < rows.count; ++i)
    out.data<R>()[i] = fn(static_cast<const T*>(rows.values.data<T>() + i * rows.length), rows.length);
  return out;
}

}  // namespace qdq
