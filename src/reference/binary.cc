#include <algorithm>
#include <cmath>

#include "reference/eval.h"

namespace qdq {
namespace {

// fn on both operands, converted to torch's common dtype; the result has that dtype.
template <typename Fn>
std::vector<Value> promoted(const Call& call, const Value& a, const Value& b, Fn fn) {
  const DType result = result_type({a, b});
  return with_compute_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const auto step = [&](T x, T y) { return static_cast<T>(fn(x, y)); };
    // The operands are first rounded to the common dtype: an int8 operand beside int8 keeps 8 bits.
    const Tensor left = operand(call, a, result).to(dtype_of<T>());
    const Tensor right = operand(call, b, result).to(dtype_of<T>());
    return {map<T>(call, left, right, step).to(result)};
  });
}

template <typename Fn>
std::vector<Value> promoted(const Call& call, Fn fn) {
  return promoted(call, call.arg(call.schema().args[0].name), call.arg(call.schema().args[1].name), fn);
}

// a + alpha * b with wrapping integers.
std::vector<Value> scaled_sum(const Call& call, const Value& a, const Value& b, double sign) {
  const double alpha = call.number("alpha") * sign;
  return promoted(call, a, b, [alpha](auto x, auto y) {
    using T = decltype(x);
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<std::uint64_t>(x) +
                            static_cast<std::uint64_t>(static_cast<T>(alpha)) * static_cast<std::uint64_t>(y));
    else
      return x + static_cast<T>(alpha) * y;
  });
}
std::vector<Value> eval_add(const Call& call) { return scaled_sum(call, call.arg("self"), call.arg("other"), 1); }
std::vector<Value> eval_sub(const Call& call) { return scaled_sum(call, call.arg("self"), call.arg("other"), -1); }
std::vector<Value> eval_rsub(const Call& call) { return scaled_sum(call, call.arg("other"), call.arg("self"), -1); }

std::vector<Value> eval_mul(const Call& call) {
  return promoted(call, [](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>)
      return static_cast<decltype(x)>(static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(y));
    else
      return x * y;
  });
}

// Integer division and remainder towards minus infinity.
std::int64_t floor_quotient(std::int64_t x, std::int64_t y) {
  const std::int64_t quotient = x / y;
  return quotient - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0);
}

// Python's float floor division, by way of the exact remainder, as torch computes it.
template <typename T>
T floor_quotient_of_floats(T x, T y) {
  if (y == 0) return x / y;
  const T remainder = std::fmod(x, y);
  T quotient = (x - remainder) / y;
  if (remainder != 0 && (remainder < 0) != (y < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(T(0), x / y);
  const T floored = std::floor(quotient);
  return quotient - floored > T(0.5) ? floored + 1 : floored;
}

template <typename T>
void refuse_zero(const Call& call, T divisor) {
  if (divisor == 0) call.fail("integer division by zero");
}

std::vector<Value> floor_division(const Call& call) {
  return promoted(call, [&](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>) {
      refuse_zero(call, y);
      return floor_quotient(x, y);
    } else {
      return floor_quotient_of_floats(x, y);
    }
  });
}

std::vector<Value> truncating_division(const Call& call) {
  return promoted(call, [&](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>) {
      refuse_zero(call, y);
      return x / y;
    } else {
      return std::trunc(x / y);
    }
  });
}

std::vector<Value> eval_div(const Call& call) {
  if (call.has("rounding_mode")) {
    const std::string& mode = call.string("rounding_mode");
    if (mode == "floor") return floor_division(call);
    if (mode == "trunc") return truncating_division(call);
    call.fail("rounding_mode must be 'floor' or 'trunc', found '" + mode + "'");
  }
  const Value& a = call.arg("self");
  const Value& b = call.arg("other");
  const DType result = float_result(result_type({a, b}));
  return with_float_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const auto divide = [](T x, T y) { return x / y; };
    return {map<T>(call, operand(call, a, dtype_of<T>()), operand(call, b, dtype_of<T>()), divide).to(result)};
  });
}

std::vector<Value> eval_remainder(const Call& call) {
  return promoted(call, [&](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>) {
      refuse_zero(call, y);
      return x - floor_quotient(x, y) * y;
    } else {
      const auto remainder = std::fmod(x, y);
      return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
    }
  });
}

std::vector<Value> eval_fmod(const Call& call) {
  return promoted(call, [&](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>) {
      refuse_zero(call, y);
      return x % y;
    } else {
      return std::fmod(x, y);
    }
  });
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t result = 1;
  for (auto factor = static_cast<std::uint64_t>(base); exponent > 0; exponent /= 2, factor *= factor)
    if (exponent % 2 == 1) result *= factor;
  return static_cast<std::int64_t>(result);
}

std::vector<Value> eval_pow(const Call& call) {
  return promoted(call, [](auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>)
      return integer_power(x, y);
    else
      return std::pow(x, y);
  });
}

std::vector<Value> eval_maximum(const Call& call) {
  return promoted(call, [](auto x, auto y) { return x != x || x > y ? x : y; });
}
std::vector<Value> eval_minimum(const Call& call) {
  return promoted(call, [](auto x, auto y) { return x != x || x < y ? x : y; });
}

template <typename Fn>
std::vector<Value> bitwise(const Call& call, Fn fn) {
  if (is_floating_point(result_type({call.arg("self"), call.arg("other")})))
    call.fail("a bitwise op on floating point");
  return promoted(call,
                  [fn](auto x, auto y) { return fn(static_cast<std::int64_t>(x), static_cast<std::int64_t>(y)); });
}
std::vector<Value> eval_bitwise_and(const Call& call) {
  return bitwise(call, [](std::int64_t x, std::int64_t y) { return x & y; });
}
std::vector<Value> eval_bitwise_or(const Call& call) {
  return bitwise(call, [](std::int64_t x, std::int64_t y) { return x | y; });
}
std::vector<Value> eval_bitwise_xor(const Call& call) {
  return bitwise(call, [](std::int64_t x, std::int64_t y) { return x ^ y; });
}

std::vector<Value> eval_atan2(const Call& call) {
  const Value& a = call.arg("self");
  const Value& b = call.arg("other");
  const DType result = float_result(result_type({a, b}));
  return with_float_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const auto angle = [](T y, T x) { return std::atan2(y, x); };
    return {map<T>(call, operand(call, a, dtype_of<T>()), operand(call, b, dtype_of<T>()), angle).to(result)};
  });
}

// self + value * fn(tensor1, tensor2)
template <typename Fn>
std::vector<Value> add_combined(const Call& call, Fn fn) {
  const Tensor& self = call.tensor("self");
  const Tensor& a = call.tensor("tensor1");
  const Tensor& b = call.tensor("tensor2");
  const double value = call.number("value");
  const DType result = result_type({self, a, b});
  return with_compute_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const auto factor = static_cast<T>(value);
    const Tensor combined =
        map<T>(call, a.to(dtype_of<T>()), b.to(dtype_of<T>()), [&](T x, T y) { return fn(factor, x, y); });
    return {map<T>(call, self.to(dtype_of<T>()), combined, [](T x, T y) { return x + y; }).to(result)};
  });
}
std::vector<Value> eval_addcmul(const Call& call) {
  return add_combined(call, [](auto value, auto x, auto y) { return value * x * y; });
}
std::vector<Value> eval_addcdiv(const Call& call) {
  return add_combined(call, [&](auto value, auto x, auto y) {
    if constexpr (std::is_integral_v<decltype(x)>) refuse_zero(call, y);
    return value * x / y;
  });
}

// From whichever end is nearer, so that weights 0 and 1 give the ends exactly.
std::vector<Value> eval_lerp(const Call& call) {
  const double weight = call.number("weight");
  return promoted(call, [weight](auto start, auto end) {
    using T = decltype(start);
    const auto w = static_cast<T>(weight);
    return std::abs(weight) < 0.5 ? start + w * (end - start) : end - (end - start) * (1 - w);
  });
}

constexpr KernelRow kRows[] = {
    {"aten.add.Tensor", eval_add},
    {"aten.add.Scalar", eval_add},
    {"aten.add_.Tensor", in_place<eval_add>},
    {"aten.add_.Scalar", in_place<eval_add>},
    {"aten.sub.Tensor", eval_sub},
    {"aten.sub.Scalar", eval_sub},
    {"aten.sub_.Tensor", in_place<eval_sub>},
    {"aten.sub_.Scalar", in_place<eval_sub>},
    {"aten.rsub.Tensor", eval_rsub},
    {"aten.rsub.Scalar", eval_rsub},
    {"aten.mul.Tensor", eval_mul},
    {"aten.mul.Scalar", eval_mul},
    {"aten.mul_.Tensor", in_place<eval_mul>},
    {"aten.mul_.Scalar", in_place<eval_mul>},
    {"aten.div.Tensor", eval_div},
    {"aten.div.Scalar", eval_div},
    {"aten.div_.Tensor", in_place<eval_div>},
    {"aten.div_.Scalar", in_place<eval_div>},
    {"aten.div.Tensor_mode", eval_div},
    {"aten.div.Scalar_mode", eval_div},
    {"aten.floor_divide.default", floor_division},
    {"aten.floor_divide.Scalar", floor_division},
    {"aten.remainder.Tensor", eval_remainder},
    {"aten.remainder.Scalar", eval_remainder},
    {"aten.fmod.Tensor", eval_fmod},
    {"aten.fmod.Scalar", eval_fmod},
    {"aten.pow.Tensor_Tensor", eval_pow},
    {"aten.pow.Tensor_Scalar", eval_pow},
    {"aten.pow_.Scalar", in_place<eval_pow>},
    {"aten.pow_.Tensor", in_place<eval_pow>},
    {"aten.pow.Scalar", eval_pow},
    {"aten.maximum.default", eval_maximum},
    {"aten.minimum.default", eval_minimum},
    {"aten.max.other", eval_maximum},
    {"aten.min.other", eval_minimum},
    {"aten.bitwise_and.Tensor", eval_bitwise_and},
    {"aten.bitwise_or.Tensor", eval_bitwise_or},
    {"aten.bitwise_xor.Tensor", eval_bitwise_xor},
    {"aten.bitwise_and.Scalar", eval_bitwise_and},
    {"aten.bitwise_or.Scalar", eval_bitwise_or},
    {"aten.__and__.Tensor", eval_bitwise_and},
    {"aten.__or__.Tensor", eval_bitwise_or},
    {"aten.__and__.Scalar", eval_bitwise_and},
    {"aten.__or__.Scalar", eval_bitwise_or},
    {"aten.atan2.default", eval_atan2},
    {"aten.lerp.Scalar", eval_lerp},
    {"aten.addcmul.default", eval_addcmul},
    {"aten.addcdiv.default", eval_addcdiv},
};

}  // namespace

KernelFamily binary_kernels() { return kRows; }

}  // namespace qdq
