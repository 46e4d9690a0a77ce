#pragma once
// What the kernels share. A kernel converts its operands to the type that it computes in (float, double or int64; the
// narrow floats compute in float), works on contiguous or strided elements of that type, and converts the result.
#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "ops/call.h"
#include "ops/promotion.h"
#include "reference/kernels.h"

namespace qdq {

// float64 -> float64, other floats -> float32, integers and bool -> int64.
inline DType compute_dtype(DType dtype) {
  if (dtype == DType::float64) return dtype;
  return is_floating_point(dtype) ? DType::float32 : DType::int64;
}

// Calls fn(T{}) with the C++ type of compute_dtype(dtype).
template <typename Fn>
decltype(auto) with_compute_type(DType dtype, Fn&& fn) {
  switch (compute_dtype(dtype)) {
    case DType::float64: return fn(double{});
    case DType::float32: return fn(float{});
    default: return fn(std::int64_t{});
  }
}

// As with_compute_type, for ops that exist on floats only.
template <typename Fn>
decltype(auto) with_float_type(DType dtype, Fn&& fn) {
  if (dtype == DType::float64) return fn(double{});
  return fn(float{});
}

// Sums of floats are kept in double, sums of integers in int64.
template <typename T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;

// A tensor, or a number as a 0-dim tensor, converted to `dtype`.
Tensor operand(const Call& call, const Value& value, DType dtype);

// The value as a contiguous tensor of T.
template <typename T>
Tensor contiguous_as(const Tensor& tensor) {
  return tensor.to(dtype_of<T>()).contiguous();
}

// fn over the elements of one tensor, whose dtype must be T's. The result's dtype is that of fn's result.
template <typename T, typename Fn>
Tensor map(const Tensor& a, Fn&& fn) {
  using R = std::decay_t<decltype(fn(T{}))>;
  const Tensor out = Tensor::empty(dtype_of<R>(), a.sizes());
  R* to = out.data<R>();
  const T* from = a.data<T>();
  for_each_offset<2>(out.sizes(), {&out.strides(), &a.strides()},
                     [&](std::int64_t o, std::int64_t i) { to[o] = fn(from[i]); });
  return out;
}

// ... of two and of three tensors, broadcast.
template <typename T, typename Fn>
Tensor map(const Call& call, const Tensor& a, const Tensor& b, Fn&& fn) {
  using R = std::decay_t<decltype(fn(T{}, T{}))>;
  const Tensor out = Tensor::empty(dtype_of<R>(), broadcast(call, a.sizes(), b.sizes()));
  const Tensor left = expand(call, a, out.sizes());
  const Tensor right = expand(call, b, out.sizes());
  R* to = out.data<R>();
  const T* x = left.data<T>();
  const T* y = right.data<T>();
  for_each_offset<3>(out.sizes(), {&out.strides(), &left.strides(), &right.strides()},
                     [&](std::int64_t o, std::int64_t i, std::int64_t j) { to[o] = fn(x[i], y[j]); });
  return out;
}

// An in-place op: what the ordinary kernel computes, converted and written into the first argument.
template <Kernel kernel>
std::vector<Value> in_place(const Call& call) {
  const Tensor& self = *call.arg(call.schema().args.front().name).tensor();
  self.copy_from(*kernel(call).front().tensor());
  return {self};
}

// A loop over all positions of `sizes` in row-major order, with the index.
template <typename Fn>
void for_each_index(const Shape& sizes, Fn&& fn) {
  for (const std::int64_t size : sizes)
    if (size == 0) return;
  Shape index(sizes.size(), 0);
  while (true) {
    fn(index);
    std::size_t d = sizes.size();
    while (d > 0 && ++index[d - 1] == sizes[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

// Offset of `index` in a tensor, in elements from its raw_data().
inline std::int64_t offset_of(const Tensor& tensor, const Shape& index) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < index.size(); ++d) offset += index[d] * tensor.strides()[d];
  return offset;
}

}  // namespace qdq
