#include <algorithm>
#include <cmath>
#include <numbers>

#include "reference/eval.h"

namespace qdq {
namespace {

// fn on every element in float or double. Integers (relu, hardtanh) go through double and keep their dtype.
template <typename Fn>
std::vector<Value> activation(const Call& call, Fn fn) {
  const Tensor& self = call.tensor("self");
  const bool wide = self.dtype() == DType::float64 || !is_floating_point(self.dtype());
  return with_float_type(wide ? DType::float64 : DType::float32, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    return {map<T>(self.to(dtype_of<T>()), [&](T x) { return static_cast<T>(fn(x)); }).to(self.dtype())};
  });
}

// sigmoid and tanh give floats for integers.
template <typename Fn>
std::vector<Value> to_float(const Call& call, Fn fn) {
  const Tensor& self = call.tensor("self");
  const DType result = float_result(self.dtype());
  return with_float_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    return {map<T>(self.to(dtype_of<T>()), [&](T x) { return static_cast<T>(fn(x)); }).to(result)};
  });
}

template <typename T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

// NaN passes through.
template <typename T>
T clip(T x, T low, T high) {
  return x < low ? low : x > high ? high : x;
}

std::vector<Value> eval_relu(const Call& call) {
  return activation(call, [](auto x) { return x < 0 ? decltype(x){0} : x; });
}
std::vector<Value> eval_relu6(const Call& call) {
  return activation(call, [](auto x) { return clip<decltype(x)>(x, 0, 6); });
}
std::vector<Value> eval_hardtanh(const Call& call) {
  const double low = call.number("min_val");
  const double high = call.number("max_val");
  return activation(call, [=](auto x) {
    using T = decltype(x);
    return clip(x, static_cast<T>(low), static_cast<T>(high));
  });
}
std::vector<Value> eval_hardswish(const Call& call) {
  return activation(call, [](auto x) { return x * clip<decltype(x)>(x + 3, 0, 6) / 6; });
}
std::vector<Value> eval_hardsigmoid(const Call& call) {
  return activation(call, [](auto x) { return clip<decltype(x)>(x + 3, 0, 6) / 6; });
}
std::vector<Value> eval_sigmoid(const Call& call) {
  return to_float(call, [](auto x) { return sigmoid(x); });
}
std::vector<Value> eval_tanh(const Call& call) {
  return to_float(call, [](auto x) { return std::tanh(x); });
}
std::vector<Value> eval_silu(const Call& call) {
  return activation(call, [](auto x) { return x / (1 + std::exp(-x)); });
}
std::vector<Value> eval_softplus(const Call& call) {
  const double beta = call.number("beta");
  const double threshold = call.number("threshold");
  return activation(call, [=](auto x) {
    using T = decltype(x);
    const T scaled = x * static_cast<T>(beta);
    return scaled > static_cast<T>(threshold) ? x : std::log1p(std::exp(scaled)) / static_cast<T>(beta);
  });
}
std::vector<Value> eval_mish(const Call& call) {
  return activation(call, [](auto x) { return x * std::tanh(std::log1p(std::exp(x))); });
}
std::vector<Value> eval_log_sigmoid(const Call& call) {
  return activation(call, [](auto x) { return std::min<decltype(x)>(x, 0) - std::log1p(std::exp(-std::abs(x))); });
}
std::vector<Value> eval_gelu(const Call& call) {
  const std::string& form = call.string("approximate");
  if (form == "none")
    return activation(call, [](auto x) {
      using T = decltype(x);
      return x * T(0.5) * (1 + std::erf(x * static_cast<T>(1 / std::numbers::sqrt2)));
    });
  if (form != "tanh") call.fail("approximate must be 'none' or 'tanh', found '" + form + "'");
  return activation(call, [](auto x) {
    using T = decltype(x);
    const T beta = static_cast<T>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);  // sqrt(2 / pi)
    return T(0.5) * x * (1 + std::tanh(beta * (x + T(0.044715) * x * x * x)));
  });
}
std::vector<Value> eval_leaky_relu(const Call& call) {
  const double slope = call.number("negative_slope");
  return activation(call, [=](auto x) { return x > 0 ? x : x * static_cast<decltype(x)>(slope); });
}

// scale * (x, or alpha * (exp(input_scale * x) - 1) below zero); selu and celu are special cases.
std::vector<Value> elu(const Call& call, double alpha, double scale, double input_scale) {
  return activation(call, [=](auto x) {
    using T = decltype(x);
    if (x > 0) return x * static_cast<T>(scale);
    return std::expm1(x * static_cast<T>(input_scale)) * static_cast<T>(alpha * scale);
  });
}
std::vector<Value> eval_elu(const Call& call) {
  return elu(call, call.number("alpha"), call.number("scale"), call.number("input_scale"));
}
std::vector<Value> eval_selu(const Call& call) { return elu(call, 1.6732632423543772, 1.0507009873554805, 1); }
std::vector<Value> eval_celu(const Call& call) {
  const double alpha = call.number("alpha");
  if (alpha == 0) call.fail("alpha must not be 0");
  return elu(call, alpha, 1, 1 / alpha);
}

std::vector<Value> eval_threshold(const Call& call) {
  const double threshold = call.number("threshold");
  const double value = call.number("value");
  return activation(call, [=](auto x) {
    using T = decltype(x);
    return x <= static_cast<T>(threshold) ? static_cast<T>(value) : x;
  });
}

// What lies within lambd of zero becomes zero; softshrink moves the rest towards it. NaN passes through.
std::vector<Value> eval_softshrink(const Call& call) {
  const double lambd = call.number("lambd");
  return activation(call, [=](auto x) {
    using T = decltype(x);
    const T shift = x < 0 ? static_cast<T>(-lambd) : static_cast<T>(lambd);
    return std::abs(x) <= static_cast<T>(lambd) ? T{0} : x - shift;
  });
}
std::vector<Value> eval_hardshrink(const Call& call) {
  const double lambd = call.number("lambd");
  return activation(call, [=](auto x) {
    using T = decltype(x);
    return std::abs(x) <= static_cast<T>(lambd) ? T{0} : x;
  });
}

// One slope for all, or one per channel (dimension 1).
std::vector<Value> eval_prelu(const Call& call) {
  const Tensor& self = call.tensor("self");
  Tensor weight = call.tensor("weight");
  if (weight.numel() > 1) {
    if (self.dim() < 2 || weight.numel() != self.size(1)) call.fail("one slope per channel expected");
    Shape sizes(self.sizes().size() - 1, 1);
    sizes[0] = weight.numel();
    weight = weight.reshape(sizes);
  } else {
    weight = weight.reshape({});
  }
  return with_float_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    return {map<T>(call, self.to(dtype_of<T>()), weight.to(dtype_of<T>()), [](T x, T slope) {
              return x > 0 ? x : x * slope;
            }).to(self.dtype())};
  });
}

std::vector<Value> eval_glu(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  if (self.dim() == 0 || self.size(d) % 2 != 0) call.fail("the dimension to halve must have an even size");
  const std::int64_t half = self.size(d) / 2;
  return with_float_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor values = self.to(dtype_of<T>());
    return {map<T>(call, values.narrow(d, 0, half), values.narrow(d, half, half), [](T x, T gate) {
              return x * sigmoid(gate);
            }).to(self.dtype())};
  });
}

// Softmax over one dimension: subtract the maximum, exponentiate, divide by the sum. The logarithm skips the division.
std::vector<Value> softmax(const Call& call, bool logarithm) {
  const Tensor& self = call.tensor("self");
  const DType result = call.schema().infer(call).front().tensor()->dtype();
  const std::int64_t d = call.dim("dim", self.dim());
  return with_float_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor out = Tensor::empty(dtype_of<T>(), self.sizes());
    const Tensor in = contiguous_as<T>(self);
    if (self.numel() == 0) return {out.to(result)};
    const std::int64_t length = self.dim() == 0 ? 1 : self.size(d);
    std::int64_t inner = 1;
    for (std::int64_t k = d + 1; k < self.dim(); ++k) inner *= self.size(k);
    for (std::int64_t row = 0; row < self.numel() / length; ++row) {
      const std::int64_t start = row / inner * inner * length + row % inner;
      const T* from = in.data<T>() + start;
      T* to = out.data<T>() + start;
      T largest = from[0];
      for (std::int64_t i = 1; i < length; ++i) largest = std::max(largest, from[i * inner]);
      double sum = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        to[i * inner] = std::exp(from[i * inner] - largest);
        sum += static_cast<double>(to[i * inner]);
      }
      for (std::int64_t i = 0; i < length; ++i)
        to[i * inner] = logarithm ? static_cast<T>(from[i * inner] - largest - static_cast<T>(std::log(sum)))
                                  : static_cast<T>(static_cast<double>(to[i * inner]) / sum);
    }
    return {out.to(result)};
  });
}
std::vector<Value> eval_softmax(const Call& call) { return softmax(call, false); }
std::vector<Value> eval_log_softmax(const Call& call) { return softmax(call, true); }

constexpr KernelRow kRows[] = {
    {"aten.relu.default", eval_relu},
    {"aten.relu_.default", in_place<eval_relu>},
    {"aten.relu6.default", eval_relu6},
    {"aten.relu6_.default", in_place<eval_relu6>},
    {"aten.hardtanh.default", eval_hardtanh},
    {"aten.hardtanh_.default", in_place<eval_hardtanh>},
    {"aten.hardswish.default", eval_hardswish},
    {"aten.hardswish_.default", in_place<eval_hardswish>},
    {"aten.hardsigmoid.default", eval_hardsigmoid},
    {"aten.hardsigmoid_.default", in_place<eval_hardsigmoid>},
    {"aten.sigmoid.default", eval_sigmoid},
    {"aten.sigmoid_.default", in_place<eval_sigmoid>},
    {"aten.tanh.default", eval_tanh},
    {"aten.tanh_.default", in_place<eval_tanh>},
    {"aten.silu.default", eval_silu},
    {"aten.silu_.default", in_place<eval_silu>},
    {"aten.mish.default", eval_mish},
    {"aten.mish_.default", in_place<eval_mish>},
    {"aten.gelu.default", eval_gelu},
    {"aten.gelu_.default", in_place<eval_gelu>},
    {"aten.leaky_relu.default", eval_leaky_relu},
    {"aten.leaky_relu_.default", in_place<eval_leaky_relu>},
    {"aten.elu.default", eval_elu},
    {"aten.elu_.default", in_place<eval_elu>},
    {"aten.selu.default", eval_selu},
    {"aten.celu.default", eval_celu},
    {"aten.selu_.default", in_place<eval_selu>},
    {"aten.celu_.default", in_place<eval_celu>},
    {"aten.softshrink.default", eval_softshrink},
    {"aten.hardshrink.default", eval_hardshrink},
    {"aten.prelu.default", eval_prelu},
    {"aten.softplus.default", eval_softplus},
    {"aten.log_sigmoid.default", eval_log_sigmoid},
    {"aten.threshold.default", eval_threshold},
    {"aten.threshold_.default", in_place<eval_threshold>},
    {"aten.glu.default", eval_glu},
    {"aten.softmax.int", eval_softmax},
    {"aten._softmax.default", eval_softmax},
    {"aten.log_softmax.int", eval_log_softmax},
    {"aten._log_softmax.default", eval_log_softmax},
};

}  // namespace

KernelFamily activation_kernels() { return kRows; }

}  // namespace qdq
