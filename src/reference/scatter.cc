// Values gathered into positions that an index tensor names.
#include <algorithm>

#include "reference/eval.h"

namespace qdq {
namespace {

// How scatter_reduce combines what meets in one position; a NaN wins among extremes.
template <typename T>
T combined(const std::string& reduce, T x, T y) {
  if (reduce == "prod") return static_cast<T>(x * y);
  if (reduce == "amax") return x != x ? x : y != y || y > x ? y : x;
  if (reduce == "amin") return x != x ? x : y != y || y < x ? y : x;
  return static_cast<T>(x + y);
}

// The position that an entry of the index tensor stands for.
Shape position_of(const Call& call, const Tensor& index, const Shape& at, const Tensor& self, std::size_t d) {
  Shape position = at;
  position[d] = index.data<std::int64_t>()[offset_of(index, at)];
  for (std::size_t k = 0; k < position.size(); ++k)
    if (position[k] < 0 || position[k] >= self.sizes()[k])
      call.fail("index " + to_string(position) + " lies outside sizes " + to_string(self.sizes()));
  return position;
}

std::vector<Value> scattered(const Call& call, const std::string& reduce, bool include_self) {
  if (reduce != "sum" && reduce != "prod" && reduce != "mean" && reduce != "amax" && reduce != "amin")
    call.fail("reduction '" + reduce + "' is not known");
  const Tensor& self = call.tensor("self");
  const Tensor index = call.tensor("index").to(DType::int64);
  if (call.tensor("src").dtype() != self.dtype()) call.fail("src must have self's dtype");
  if (self.dim() == 0 || index.dim() != self.dim() || call.tensor("src").dim() != self.dim())
    call.fail("self, index and src must have equally many dimensions");
  for (std::size_t k = 0; k < index.sizes().size(); ++k)
    if (index.sizes()[k] > call.tensor("src").sizes()[k])
      call.fail("the index is larger than src in dimension " + std::to_string(k));
  const auto d = static_cast<std::size_t>(call.dim("dim", self.dim()));
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor out = self.clone().to(dtype_of<T>());
    const Tensor source = call.tensor("src").to(dtype_of<T>());
    const Tensor counts = Tensor::full(DType::int64, self.sizes(), include_self ? 1 : 0);
    for_each_index(index.sizes(), [&](const Shape& at) {
      const std::int64_t to = offset_of(out, position_of(call, index, at, self, d));
      const T value = source.data<T>()[offset_of(source, at)];
      T& result = out.data<T>()[to];
      result = counts.data<std::int64_t>()[to]++ == 0 ? value : combined(reduce, result, value);
    });
    if (reduce == "mean")
      for (std::int64_t i = 0; i < out.numel(); ++i) {
        const auto count = static_cast<T>(std::max<std::int64_t>(counts.data<std::int64_t>()[i], 1));
        T& sum = out.data<T>()[i];
        const bool rounds_up = std::is_integral_v<T> && sum < 0 && sum != sum / count * count;  // floor of the quotient
        sum = static_cast<T>(sum / count - (rounds_up ? 1 : 0));
      }
    return {out.to(self.dtype())};
  });
}

std::vector<Value> eval_scatter_add(const Call& call) { return scattered(call, "sum", true); }
std::vector<Value> eval_scatter_reduce(const Call& call) {
  return scattered(call, call.string("reduce"), call.boolean("include_self"));
}

// Calls fn(slice of `out`, i) for the slice that entry i of the argument "index" names along "dim".
template <typename Fn>
void for_each_slice(const Call& call, const Tensor& out, Fn fn) {
  const Tensor index = contiguous_as<std::int64_t>(call.tensor("index"));
  if (out.dim() == 0) call.fail("a tensor with dimensions expected");
  const std::int64_t d = call.dim("dim", out.dim());
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    const std::int64_t at = index.data<std::int64_t>()[i];
    if (at < -out.size(d) || at >= out.size(d))
      call.fail("index " + std::to_string(at) + " of a dimension of size " + std::to_string(out.size(d)));
    fn(out.narrow(d, at < 0 ? at + out.size(d) : at, 1), i);
  }
}

Tensor source_slice(const Call& call, const Tensor& source, std::int64_t i) {
  const std::int64_t d = call.dim("dim", source.dim());
  if (source.dim() == 0 || i >= source.size(d)) call.fail("the index has more entries than the source has slices");
  return source.narrow(d, i, 1);
}

std::vector<Value> eval_index_add(const Call& call) {
  const Tensor& self = call.tensor("self");
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor out = self.clone().to(dtype_of<T>());
    const Tensor source = call.tensor("source").to(dtype_of<T>());
    const T alpha = operand(call, call.arg("alpha"), dtype_of<T>()).template data<T>()[0];
    for_each_slice(call, out, [&](const Tensor& slice, std::int64_t i) {
      slice.copy_from(map<T>(call, slice, source_slice(call, source, i),
                             [alpha](T x, T y) { return static_cast<T>(x + alpha * y); }));
    });
    return {out.to(self.dtype())};
  });
}

std::vector<Value> eval_index_copy(const Call& call) {
  const Tensor out = call.tensor("self").clone();
  for_each_slice(call, out, [&](const Tensor& slice, std::int64_t i) {
    slice.copy_from(source_slice(call, call.tensor("source"), i));
  });
  return {out};
}

std::vector<Value> eval_index_fill(const Call& call) {
  const Tensor out = call.tensor("self").clone();
  const Tensor value = operand(call, call.arg("value"), out.dtype());
  for_each_slice(call, out,
                 [&](const Tensor& slice, std::int64_t) { slice.copy_from(expand(call, value, slice.sizes())); });
  return {out};
}

constexpr KernelRow kRows[] = {
    {"aten.scatter_add.default", eval_scatter_add},   {"aten.scatter_add_.default", in_place<eval_scatter_add>},
    {"aten.scatter_reduce.two", eval_scatter_reduce}, {"aten.scatter_reduce_.two", in_place<eval_scatter_reduce>},
    {"aten.index_add.default", eval_index_add},       {"aten.index_add_.default", in_place<eval_index_add>},
    {"aten.index_copy.default", eval_index_copy},     {"aten.index_copy_.default", in_place<eval_index_copy>},
    {"aten.index_fill.int_Scalar", eval_index_fill},
};

}  // namespace

KernelFamily scatter_kernels() { return kRows; }

}  // namespace qdq
