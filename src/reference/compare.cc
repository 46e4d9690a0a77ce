#include "reference/eval.h"

namespace qdq {
namespace {

template <typename Fn>
std::vector<Value> comparing(const Call& call, Fn fn) {
  const Value& a = call.arg("self");
  const Value& b = call.arg("other");
  const DType common = result_type({a, b});
  return with_compute_type(common, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const auto ask = [&](T x, T y) -> bool { return fn(x, y); };
    const Tensor left = operand(call, a, common).to(dtype_of<T>());
    return {map<T>(call, left, operand(call, b, common).to(dtype_of<T>()), ask)};
  });
}

std::vector<Value> eval_eq(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x == y; });
}
std::vector<Value> eval_ne(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x != y; });
}
std::vector<Value> eval_lt(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x < y; });
}
std::vector<Value> eval_le(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x <= y; });
}
std::vector<Value> eval_gt(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x > y; });
}
std::vector<Value> eval_ge(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x >= y; });
}
std::vector<Value> eval_logical_and(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x != 0 && y != 0; });
}
std::vector<Value> eval_logical_or(const Call& call) {
  return comparing(call, [](auto x, auto y) { return x != 0 || y != 0; });
}
std::vector<Value> eval_logical_xor(const Call& call) {
  return comparing(call, [](auto x, auto y) { return (x != 0) != (y != 0); });
}

// condition ? a : b, element by element, all broadcast. `a` and `b` have the result's dtype.
Tensor choose(const Call& call, const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Shape sizes = broadcast(call, condition.sizes(), broadcast(call, a.sizes(), b.sizes()));
  const Tensor out = expand(call, b, sizes).clone();
  const Tensor chosen = expand(call, a, sizes);
  const Tensor mask = expand(call, condition.to(DType::bool_), sizes);
  const bool* wanted = mask.data<bool>();
  for_each_index(sizes, [&](const Shape& index) {
    if (!wanted[offset_of(mask, index)]) return;
    const auto width = element_size(out.dtype());
    std::memcpy(out.raw_data() + static_cast<std::size_t>(offset_of(out, index)) * width,
                chosen.raw_data() + static_cast<std::size_t>(offset_of(chosen, index)) * width, width);
  });
  return out;
}

std::vector<Value> eval_where(const Call& call) {
  const Value& a = call.arg("self");
  const Value& b = call.arg("other");
  const DType result = result_type({a, b});
  return {choose(call, call.tensor("condition"), operand(call, a, result), operand(call, b, result))};
}

std::vector<Value> eval_masked_fill(const Call& call) {
  const Tensor& self = call.tensor("self");
  return {choose(call, call.tensor("mask"), operand(call, call.arg("value"), self.dtype()), self)};
}

constexpr KernelRow kRows[] = {
    {"aten.eq.Tensor", eval_eq},
    {"aten.eq.Scalar", eval_eq},
    {"aten.ne.Tensor", eval_ne},
    {"aten.ne.Scalar", eval_ne},
    {"aten.lt.Tensor", eval_lt},
    {"aten.lt.Scalar", eval_lt},
    {"aten.le.Tensor", eval_le},
    {"aten.le.Scalar", eval_le},
    {"aten.gt.Tensor", eval_gt},
    {"aten.gt.Scalar", eval_gt},
    {"aten.ge.Tensor", eval_ge},
    {"aten.ge.Scalar", eval_ge},
    {"aten.logical_and.default", eval_logical_and},
    {"aten.logical_or.default", eval_logical_or},
    {"aten.logical_xor.default", eval_logical_xor},
    {"aten.where.self", eval_where},
    {"aten.where.ScalarOther", eval_where},
    {"aten.where.ScalarSelf", eval_where},
    {"aten.where.Scalar", eval_where},
    {"aten.masked_fill.Scalar", eval_masked_fill},
    {"aten.masked_fill.Tensor", eval_masked_fill},
    {"aten.masked_fill_.Scalar", in_place<eval_masked_fill>},
    {"aten.masked_fill_.Tensor", in_place<eval_masked_fill>},
};

}  // namespace

KernelFamily compare_kernels() { return kRows; }

}  // namespace qdq
