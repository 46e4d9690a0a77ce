#include <cmath>
#include <limits>

#include "reference/eval.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

const Tensor& self_of(const Call& call) { return call.tensor("self"); }

// Ops that keep the dtype.
template <typename Fn>
std::vector<Value> keeping(const Call& call, Fn fn) {
  const Tensor& self = self_of(call);
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    return {map<T>(self.to(dtype_of<T>()), [&](T x) { return static_cast<T>(fn(x)); }).to(self.dtype())};
  });
}

// Ops whose result is a float whatever they are given.
template <typename Fn>
std::vector<Value> floating(const Call& call, Fn fn) {
  const Tensor& self = self_of(call);
  const DType result = float_result(self.dtype());
  return with_float_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    return {map<T>(self.to(dtype_of<T>()), [&](T x) { return static_cast<T>(fn(x)); }).to(result)};
  });
}

template <typename Fn>
std::vector<Value> questioning(const Call& call, Fn fn) {
  const Tensor& self = self_of(call);
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    return {map<T>(self.to(dtype_of<T>()), [&](T x) -> bool { return fn(x); })};
  });
}

// Rounding ops leave integers alone.
template <typename Fn>
std::vector<Value> rounding(const Call& call, Fn fn) {
  return is_floating_point(self_of(call).dtype()) ? floating(call, fn) : std::vector<Value>{self_of(call).clone()};
}

std::vector<Value> eval_abs(const Call& call) {
  return keeping(call, [](auto x) { return std::abs(x); });
}
std::vector<Value> eval_neg(const Call& call) {
  return keeping(call, [](auto x) { return -x; });
}
std::vector<Value> eval_sign(const Call& call) {
  return keeping(call, [](auto x) { return (x > 0) - (x < 0); });
}
std::vector<Value> eval_square(const Call& call) {
  return keeping(call, [](auto x) { return x * x; });
}
std::vector<Value> eval_bitwise_not(const Call& call) {
  const Tensor& self = self_of(call);
  if (is_floating_point(self.dtype())) call.fail("bitwise_not of a floating point tensor");
  const bool flips = self.dtype() == DType::bool_;
  return keeping(call, [flips](auto x) {
    const auto bits = static_cast<std::int64_t>(x);
    return flips ? std::int64_t{bits == 0} : ~bits;
  });
}
std::vector<Value> eval_floor(const Call& call) {
  return rounding(call, [](auto x) { return std::floor(x); });
}
std::vector<Value> eval_ceil(const Call& call) {
  return rounding(call, [](auto x) { return std::ceil(x); });
}
std::vector<Value> eval_round(const Call& call) {
  return rounding(call, [](auto x) { return round_half_even(x); });
}
std::vector<Value> eval_trunc(const Call& call) {
  return rounding(call, [](auto x) { return std::trunc(x); });
}
std::vector<Value> eval_exp(const Call& call) {
  return floating(call, [](auto x) { return std::exp(x); });
}
std::vector<Value> eval_expm1(const Call& call) {
  return floating(call, [](auto x) { return std::expm1(x); });
}
std::vector<Value> eval_log(const Call& call) {
  return floating(call, [](auto x) { return std::log(x); });
}
std::vector<Value> eval_log1p(const Call& call) {
  return floating(call, [](auto x) { return std::log1p(x); });
}
std::vector<Value> eval_log2(const Call& call) {
  return floating(call, [](auto x) { return std::log2(x); });
}
std::vector<Value> eval_log10(const Call& call) {
  return floating(call, [](auto x) { return std::log10(x); });
}
std::vector<Value> eval_sqrt(const Call& call) {
  return floating(call, [](auto x) { return std::sqrt(x); });
}
std::vector<Value> eval_rsqrt(const Call& call) {
  return floating(call, [](auto x) { return 1 / std::sqrt(x); });
}
std::vector<Value> eval_reciprocal(const Call& call) {
  return floating(call, [](auto x) { return 1 / x; });
}
std::vector<Value> eval_sin(const Call& call) {
  return floating(call, [](auto x) { return std::sin(x); });
}
std::vector<Value> eval_cos(const Call& call) {
  return floating(call, [](auto x) { return std::cos(x); });
}
std::vector<Value> eval_tan(const Call& call) {
  return floating(call, [](auto x) { return std::tan(x); });
}
std::vector<Value> eval_erf(const Call& call) {
  return floating(call, [](auto x) { return std::erf(x); });
}
std::vector<Value> eval_sinh(const Call& call) {
  return floating(call, [](auto x) { return std::sinh(x); });
}
std::vector<Value> eval_cosh(const Call& call) {
  return floating(call, [](auto x) { return std::cosh(x); });
}
std::vector<Value> eval_asin(const Call& call) {
  return floating(call, [](auto x) { return std::asin(x); });
}
std::vector<Value> eval_acos(const Call& call) {
  return floating(call, [](auto x) { return std::acos(x); });
}
std::vector<Value> eval_atan(const Call& call) {
  return floating(call, [](auto x) { return std::atan(x); });
}
std::vector<Value> eval_asinh(const Call& call) {
  return floating(call, [](auto x) { return std::asinh(x); });
}
std::vector<Value> eval_acosh(const Call& call) {
  return floating(call, [](auto x) { return std::acosh(x); });
}
std::vector<Value> eval_atanh(const Call& call) {
  return floating(call, [](auto x) { return std::atanh(x); });
}
std::vector<Value> eval_isfinite(const Call& call) {
  return questioning(call, [](auto x) { return x - x == 0; });  // not true of infinities and NaN
}
std::vector<Value> eval_isnan(const Call& call) {
  return questioning(call, [](auto x) { return x != x; });
}
std::vector<Value> eval_isinf(const Call& call) {
  return questioning(call, [](auto x) {
    return std::numeric_limits<decltype(x)>::has_infinity &&
           std::abs(x) == std::numeric_limits<decltype(x)>::infinity();
  });
}
std::vector<Value> eval_logical_not(const Call& call) {
  return questioning(call, [](auto x) { return x == 0; });
}

// Bounds are numbers, tensors or None, not both None; a NaN among value and bounds wins.
std::vector<Value> eval_clamp(const Call& call) {
  if (!call.has("min") && !call.has("max")) call.fail("clamp without a bound");
  std::vector<Value> operands;
  for (const ArgSchema& arg : call.schema().args) operands.push_back(call.arg(arg.name));
  const DType result = result_type(operands);
  return with_compute_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    Tensor values = operand(call, call.arg("self"), dtype_of<T>());
    if (call.has("min"))
      values = map<T>(call, values, operand(call, call.arg("min"), dtype_of<T>()), [](T x, T low) {
        return x != x ? x : low != low || x < low ? low : x;
      });
    if (call.has("max"))
      values = map<T>(call, values, operand(call, call.arg("max"), dtype_of<T>()), [](T x, T high) {
        return x != x ? x : high != high || x > high ? high : x;
      });
    return {values.to(result)};
  });
}

constexpr KernelRow kRows[] = {
    {"aten.abs.default", eval_abs},
    {"aten.abs_.default", in_place<eval_abs>},
    {"aten.neg.default", eval_neg},
    {"aten.neg_.default", in_place<eval_neg>},
    {"aten.sign.default", eval_sign},
    {"aten.square.default", eval_square},
    {"aten.bitwise_not.default", eval_bitwise_not},
    {"aten.floor.default", eval_floor},
    {"aten.ceil.default", eval_ceil},
    {"aten.round.default", eval_round},
    {"aten.trunc.default", eval_trunc},
    {"aten.exp.default", eval_exp},
    {"aten.exp_.default", in_place<eval_exp>},
    {"aten.expm1.default", eval_expm1},
    {"aten.log.default", eval_log},
    {"aten.log1p.default", eval_log1p},
    {"aten.log2.default", eval_log2},
    {"aten.log10.default", eval_log10},
    {"aten.sqrt.default", eval_sqrt},
    {"aten.sqrt_.default", in_place<eval_sqrt>},
    {"aten.rsqrt.default", eval_rsqrt},
    {"aten.reciprocal.default", eval_reciprocal},
    {"aten.sin.default", eval_sin},
    {"aten.cos.default", eval_cos},
    {"aten.tan.default", eval_tan},
    {"aten.sinh.default", eval_sinh},
    {"aten.cosh.default", eval_cosh},
    {"aten.asin.default", eval_asin},
    {"aten.acos.default", eval_acos},
    {"aten.atan.default", eval_atan},
    {"aten.asinh.default", eval_asinh},
    {"aten.acosh.default", eval_acosh},
    {"aten.atanh.default", eval_atanh},
    {"aten.log_.default", in_place<eval_log>},
    {"aten.round_.default", in_place<eval_round>},
    {"aten.floor_.default", in_place<eval_floor>},
    {"aten.reciprocal_.default", in_place<eval_reciprocal>},
    {"aten.rsqrt_.default", in_place<eval_rsqrt>},
    {"aten.isfinite.default", eval_isfinite},
    {"aten.erf.default", eval_erf},
    {"aten.isnan.default", eval_isnan},
    {"aten.isinf.default", eval_isinf},
    {"aten.logical_not.default", eval_logical_not},
    {"aten.clamp.default", eval_clamp},
    {"aten.clamp.Tensor", eval_clamp},
    {"aten.clamp_.default", in_place<eval_clamp>},
    {"aten.clamp_min.default", eval_clamp},
    {"aten.clamp_max.default", eval_clamp},
    {"aten.clamp_min_.default", in_place<eval_clamp>},
    {"aten.clamp_max_.default", in_place<eval_clamp>},
};

}  // namespace

KernelFamily unary_kernels() { return kRows; }

}  // namespace qdq
