#include <algorithm>
#include <cmath>

#include "reference/eval.h"

namespace qdq {
namespace {

std::vector<Value> eval_inferred(const Call& call) { return call.schema().infer(call); }

bool is_float(const Value& value) { return std::holds_alternative<double>(value.v); }

// fn on two Python numbers: as integers when both are, else as floats.
template <typename Fn>
std::vector<Value> arithmetic(const Call& call, Fn fn) {
  if (is_float(call.arg("a")) || is_float(call.arg("b")))
    return {static_cast<double>(fn(call.number("a"), call.number("b")))};
  return {static_cast<std::int64_t>(fn(call.integer("a"), call.integer("b")))};
}

template <typename Fn>
std::vector<Value> comparison(const Call& call, Fn fn) {
  if (is_float(call.arg("a")) || is_float(call.arg("b")))
    return {static_cast<bool>(fn(call.number("a"), call.number("b")))};
  return {static_cast<bool>(fn(call.integer("a"), call.integer("b")))};
}

std::vector<Value> eval_add(const Call& call) {
  return arithmetic(call, [](auto a, auto b) { return a + b; });
}
std::vector<Value> eval_sub(const Call& call) {
  return arithmetic(call, [](auto a, auto b) { return a - b; });
}
std::vector<Value> eval_mul(const Call& call) {
  return arithmetic(call, [](auto a, auto b) { return a * b; });
}
std::vector<Value> eval_neg(const Call& call) {
  return {is_float(call.arg("a")) ? Value(-call.number("a")) : Value(-call.integer("a"))};
}

double nonzero(const Call& call, double divisor) {
  if (divisor == 0) call.fail("division by zero");
  return divisor;
}
std::vector<Value> eval_truediv(const Call& call) { return {call.number("a") / nonzero(call, call.number("b"))}; }

// Python's floor division and modulo: the remainder has the divisor's sign.
std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
  const std::int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}
double floor_mod(double a, double b) {
  const double remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}
std::vector<Value> eval_mod(const Call& call) {
  nonzero(call, call.number("b"));
  return arithmetic(call, [](auto a, auto b) { return floor_mod(a, b); });
}
std::vector<Value> eval_floordiv(const Call& call) {
  nonzero(call, call.number("b"));
  return arithmetic(call, [](auto a, auto b) { return (a - floor_mod(a, b)) / b; });
}

std::vector<Value> eval_pow(const Call& call) {
  const double result = std::pow(call.number("a"), call.number("b"));
  const bool is_integer = !is_float(call.arg("a")) && !is_float(call.arg("b")) && call.number("b") >= 0;
  return {is_integer ? Value(static_cast<std::int64_t>(result)) : Value(result)};
}

std::vector<Value> eval_eq(const Call& call) {
  return comparison(call, [](auto a, auto b) { return a == b; });
}
std::vector<Value> eval_ne(const Call& call) {
  return comparison(call, [](auto a, auto b) { return a != b; });
}
std::vector<Value> eval_lt(const Call& call) {
  return comparison(call, [](auto a, auto b) { return a < b; });
}
std::vector<Value> eval_le(const Call& call) {
  return comparison(call, [](auto a, auto b) { return a <= b; });
}
std::vector<Value> eval_gt(const Call& call) {
  return comparison(call, [](auto a, auto b) { return a > b; });
}
std::vector<Value> eval_ge(const Call& call) {
  return comparison(call, [](auto a, auto b) { return a >= b; });
}

// On bools a bool, on integers the bits.
template <typename Fn>
std::vector<Value> bitwise(const Call& call, Fn fn) {
  const std::int64_t result = fn(call.integer("a"), call.integer("b"));
  const bool both = std::holds_alternative<bool>(call.arg("a").v) && std::holds_alternative<bool>(call.arg("b").v);
  return {both ? Value(result != 0) : Value(result)};
}
std::vector<Value> eval_and(const Call& call) {
  return bitwise(call, [](std::int64_t a, std::int64_t b) { return a & b; });
}
std::vector<Value> eval_or(const Call& call) {
  return bitwise(call, [](std::int64_t a, std::int64_t b) { return a | b; });
}

std::vector<Value> eval_not(const Call& call) { return {call.number("a") == 0}; }
std::vector<Value> eval_trunc(const Call& call) { return {static_cast<std::int64_t>(std::trunc(call.number("a")))}; }
std::vector<Value> eval_ceil(const Call& call) { return {static_cast<std::int64_t>(std::ceil(call.number("a")))}; }
std::vector<Value> eval_floor(const Call& call) { return {static_cast<std::int64_t>(std::floor(call.number("a")))}; }
std::vector<Value> eval_sym_float(const Call& call) { return {call.number("a")}; }
std::vector<Value> eval_max(const Call& call) {
  return arithmetic(call, [](auto a, auto b) { return std::max(a, b); });
}
std::vector<Value> eval_min(const Call& call) {
  return arithmetic(call, [](auto a, auto b) { return std::min(a, b); });
}

// The one element of a tensor as a Python number.
std::vector<Value> eval_item(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.numel() != 1) call.fail("item() of a tensor of sizes " + to_string(self.sizes()));
  if (self.dtype() == DType::bool_) return {self.item() != 0};
  if (is_floating_point(self.dtype())) return {self.item()};
  return {self.to(DType::int64).contiguous().data<std::int64_t>()[0]};
}

std::vector<Value> eval_assert(const Call& call) {
  const Value& self = call.arg("self");
  const bool holds = self.tensor() ? self.tensor()->item() != 0 : call.number("self") != 0;
  if (!holds)
    call.fail("an assertion of the program failed" + (call.has("assert_msg") ? ": " + call.string("assert_msg") : ""));
  return {};
}

std::vector<Value> eval_constrain_range(const Call& call) {
  const std::int64_t size = call.integer("size");
  if ((call.has("min") && size < call.integer("min")) || (call.has("max") && size > call.integer("max")))
    call.fail("the size " + std::to_string(size) + " is outside the range that the program allows");
  return {};
}

constexpr KernelRow kRows[] = {
    {"operator.getitem", eval_inferred},
    {"aten.sym_size.int", eval_inferred},
    {"aten.sym_stride.int", eval_inferred},
    {"aten.sym_numel.default", eval_inferred},
    {"aten.sym_storage_offset.default", eval_inferred},
    {"_operator.add", eval_add},
    {"_operator.sub", eval_sub},
    {"_operator.mul", eval_mul},
    {"_operator.truediv", eval_truediv},
    {"_operator.floordiv", eval_floordiv},
    {"_operator.mod", eval_mod},
    {"_operator.pow", eval_pow},
    {"_operator.neg", eval_neg},
    {"_operator.eq", eval_eq},
    {"_operator.ne", eval_ne},
    {"_operator.lt", eval_lt},
    {"_operator.le", eval_le},
    {"_operator.gt", eval_gt},
    {"_operator.ge", eval_ge},
    {"_operator.and_", eval_and},
    {"_operator.or_", eval_or},
    {"math.trunc", eval_trunc},
    {"math.ceil", eval_ceil},
    {"math.floor", eval_floor},
    {"torch.sym_not", eval_not},
    {"torch.sym_float", eval_sym_float},
    {"torch.sym_int", eval_trunc},
    {"torch.sym_max", eval_max},
    {"torch.sym_min", eval_min},
    {"aten.item.default", eval_item},
    {"aten._local_scalar_dense.default", eval_item},
    {"aten._assert_scalar.default", eval_assert},
    {"aten._assert_async.default", eval_assert},
    {"aten._assert_async.msg", eval_assert},
    {"aten.sym_constrain_range.default", eval_constrain_range},
    {"aten.sym_constrain_range_for_size.default", eval_constrain_range},
};

}  // namespace

KernelFamily symbolic_kernels() { return kRows; }

}  // namespace qdq
