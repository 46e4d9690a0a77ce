// Ops that walk along one dimension: cumulative sums, order and the largest k.
#include <algorithm>
#include <numeric>

#include "reference/eval.h"

namespace qdq {
namespace {

// Moves dimension `d` to the end, or back from it.
Tensor to_end(const Tensor& tensor, std::int64_t d) {
  Shape order;
  for (std::int64_t k = 0; k < tensor.dim(); ++k)
    if (k != d) order.push_back(k);
  if (tensor.dim() > 0) order.push_back(d);
  return tensor.permute(order);
}

Tensor from_end(const Tensor& tensor, std::int64_t d) {
  Shape order;
  for (std::int64_t k = 0; k + 1 < tensor.dim(); ++k) order.push_back(k);
  if (tensor.dim() > 0) order.insert(order.begin() + d, tensor.dim() - 1);
  return tensor.permute(order).contiguous();
}

// Every element combined with all before it; starts from `first`.
template <typename Fn>
std::vector<Value> cumulated(const Call& call, int first, Fn fn) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  const DType result = call.dtype("dtype", is_floating_point(self.dtype()) ? self.dtype() : DType::int64);
  return with_compute_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor values = to_end(self, d).to(dtype_of<T>()).clone();
    const std::int64_t length = values.dim() == 0 ? 1 : values.size(-1);
    for (std::int64_t start = 0; start < values.numel(); start += length) {
      Accumulator<T> total = first;
      for (std::int64_t i = start; i < start + length; ++i) {
        total = fn(total, static_cast<Accumulator<T>>(values.data<T>()[i]));
        values.data<T>()[i] = static_cast<T>(total);
      }
    }
    return {from_end(values, d).to(result)};
  });
}

std::vector<Value> eval_cumsum(const Call& call) {
  return cumulated(call, 0, [](auto total, auto x) { return total + x; });
}
std::vector<Value> eval_cumprod(const Call& call) {
  return cumulated(call, 1, [](auto total, auto x) { return total * x; });
}

// Each element minus the one before it, n times. Of booleans: whether the two differ.
std::vector<Value> eval_diff(const Call& call) {
  const DType dtype = call.schema().infer(call).front().tensor()->dtype();
  const std::int64_t d = call.dim("dim", call.tensor("self").dim());
  std::vector<Tensor> parts;
  for (const char* name : {"prepend", "self", "append"})
    if (const Tensor part = call.optional_tensor(name); part.defined()) parts.push_back(part.to(dtype));
  Shape sizes = parts[0].sizes();
  std::int64_t& length = sizes[static_cast<std::size_t>(d)];
  length = 0;
  for (const Tensor& part : parts) length += part.size(d);
  Tensor values = Tensor::empty(dtype, sizes);
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    values.narrow(d, start, part.size(d)).copy_from(part);
    start += part.size(d);
  }
  for (std::int64_t n = call.integer("n"); n > 0 && values.size(d) > 0; --n)
    values = with_compute_type(dtype, [&](auto type) {
      using T = decltype(type);
      const Tensor all = values.to(dtype_of<T>());
      const std::int64_t rest = values.size(d) - 1;
      const auto minus = [](T x, T y) { return static_cast<T>(x - y); };
      return map<T>(call, all.narrow(d, 1, rest), all.narrow(d, 0, rest), minus).to(dtype);
    });
  return {values};
}

// The first `count` values of every row along dimension `d` in order, with their positions. NaN counts as the largest;
// equal values keep their order.
std::vector<Value> ordered(const Tensor& self, std::int64_t d, bool descending, std::int64_t count) {
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor rows = contiguous_as<T>(to_end(self, d));
    const std::int64_t length = rows.dim() == 0 ? 1 : rows.size(-1);
    Shape sizes = rows.sizes();
    if (!sizes.empty()) sizes.back() = count;
    const Tensor values = Tensor::empty(dtype_of<T>(), sizes);
    const Tensor positions = Tensor::empty(DType::int64, sizes);
    std::vector<std::int64_t> order(static_cast<std::size_t>(length));
    const std::int64_t row_count = length == 0 ? 0 : rows.numel() / length;
    for (std::int64_t r = 0; r < row_count; ++r) {
      const T* row = rows.data<T>() + r * length;
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        const T x = descending ? row[b] : row[a];
        const T y = descending ? row[a] : row[b];
        return x < y || (x == x && y != y);
      });
      for (std::int64_t i = 0; i < count; ++i) {
        positions.data<std::int64_t>()[r * count + i] = order[static_cast<std::size_t>(i)];
        values.data<T>()[r * count + i] = row[order[static_cast<std::size_t>(i)]];
      }
    }
    return {from_end(values, d).to(self.dtype()), from_end(positions, d)};
  });
}

std::vector<Value> eval_sort(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  return ordered(self, d, call.boolean("descending"), self.dim() == 0 ? 1 : self.size(d));
}

std::vector<Value> eval_argsort(const Call& call) { return {eval_sort(call)[1]}; }

std::vector<Value> eval_topk(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  const std::int64_t k = call.integer("k");
  const std::int64_t length = self.dim() == 0 ? 1 : self.size(d);
  if (k < 0 || k > length)
    call.fail("k is " + std::to_string(k) + " for a dimension of size " + std::to_string(length));
  return ordered(self, d, call.boolean("largest"), k);
}

constexpr KernelRow kRows[] = {
    {"aten.diff.default", eval_diff}, {"aten.cumsum.default", eval_cumsum}, {"aten.cumprod.default", eval_cumprod},
    {"aten.sort.default", eval_sort}, {"aten.sort.stable", eval_sort},      {"aten.argsort.default", eval_argsort},
    {"aten.topk.default", eval_topk},
};

}  // namespace

KernelFamily sort_kernels() { return kRows; }

}  // namespace qdq
