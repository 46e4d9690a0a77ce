#include <limits>

#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"

namespace qdq::lower {
namespace {

using runtime::BinaryOp;
using runtime::UnaryOp;

std::optional<Value> emit_unary(const Call& call, Emitter& emitter, UnaryOp op, double p0 = 0.0, double p1 = 0.0) {
  const Tensor& a = first_tensor(call);
  if (!is_float(a)) return std::nullopt;
  const Tensor out = emitter.allocate_result(DType::float32, a.sizes(), a);
  emitter.emit(runtime::unary_step(emitter.name(), op, a, out, static_cast<float>(p0), static_cast<float>(p1)));
  return Value(out);
}

template <UnaryOp op>
std::optional<Value> lower_unary(const Call& call, Emitter& emitter) {
  return emit_unary(call, emitter, op);
}

std::optional<Value> lower_hardtanh(const Call& call, Emitter& emitter) {
  return emit_unary(call, emitter, UnaryOp::clamp, call.number("min_val"), call.number("max_val"));
}

std::optional<Value> lower_relu6(const Call& call, Emitter& emitter) {
  return emit_unary(call, emitter, UnaryOp::clamp, 0.0, 6.0);
}

std::optional<Value> lower_clamp(const Call& call, Emitter& emitter) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto bound = [&](const char* name, double otherwise) {
    return call.schema().find_arg(name) && call.has(name) ? call.number(name) : otherwise;
  };
  return emit_unary(call, emitter, UnaryOp::clamp, bound("min", -kInfinity), bound("max", kInfinity));
}

std::optional<Value> lower_leaky_relu(const Call& call, Emitter& emitter) {
  return emit_unary(call, emitter, UnaryOp::leaky_relu, call.number("negative_slope"));
}

std::optional<Value> lower_gelu(const Call& call, Emitter& emitter) {
  return emit_unary(call, emitter, call.string("approximate") == "tanh" ? UnaryOp::gelu_tanh : UnaryOp::gelu_erf);
}

std::optional<Value> lower_pow(const Call& call, Emitter& emitter) {
  const double exponent = call.number("exponent");
  if (exponent == 2.0) return emit_unary(call, emitter, UnaryOp::square);
  if (exponent == 0.5) return emit_unary(call, emitter, UnaryOp::sqrt);
  if (exponent == -0.5) return emit_unary(call, emitter, UnaryOp::rsqrt);
  return std::nullopt;
}

// An operand of a binary op: a float32 tensor, or a number (also in the form of a constant 0-dim tensor, whose dtype does
// not take part in torch's promotion). Undefined when it is neither.
Tensor operand_of(const Value& value, const Emitter& emitter) {
  if (const Tensor* tensor = value.tensor()) {
    if (is_float(*tensor)) return *tensor;
    const bool is_number = tensor->dim() == 0 && emitter.is_constant(*tensor) && !is_complex(tensor->dtype());
    return is_number ? Tensor::scalar(static_cast<float>(tensor->item())) : Tensor();
  }
  if (const auto* i = std::get_if<std::int64_t>(&value.v)) return Tensor::scalar(static_cast<float>(*i));
  if (const auto* d = std::get_if<double>(&value.v)) return Tensor::scalar(static_cast<float>(*d));
  return {};
}

Shape broadcast_sizes(const Shape& a, const Shape& b) {
  Shape sizes(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    sizes[sizes.size() - 1 - i] = x == 1 ? y : x;
  }
  return sizes;
}

std::optional<Value> emit_binary(const Value& left, const Value& right, Emitter& emitter, BinaryOp op,
                                 double alpha = 1.0) {
  const bool has_float_tensor =
      (left.tensor() && is_float(*left.tensor())) || (right.tensor() && is_float(*right.tensor()));
  const Tensor a = operand_of(left, emitter);
  const Tensor b = operand_of(right, emitter);
  if (!has_float_tensor || !a.defined() || !b.defined()) return std::nullopt;
  const Shape sizes = broadcast_sizes(a.sizes(), b.sizes());
  const bool a_is_full = a.sizes() == sizes;
  const Tensor& destination = emitter.destination();
  // In place on memory that the other operand views differently: the reference kernel sorts it out.
  if (destination.defined()) {
    const auto overlaps = [&](const Tensor& t) {
      return t.storage() == destination.storage() &&
             (t.strides() != destination.strides() || t.storage_offset() != destination.storage_offset());
    };
    if (sizes != destination.sizes() || overlaps(b)) return std::nullopt;
  }
  const Tensor out = emitter.allocate_result(DType::float32, sizes, a_is_full ? a : b);
  emitter.emit(runtime::binary_step(emitter.name(), op, runtime::broadcast_to(a, sizes),
                                    runtime::broadcast_to(b, sizes), out, static_cast<float>(alpha)));
  return Value(out);
}

template <BinaryOp op>
std::optional<Value> lower_binary(const Call& call, Emitter& emitter) {
  const double alpha = call.schema().find_arg("alpha") ? call.number("alpha") : 1.0;
  return emit_binary(call.arg("self"), call.arg("other"), emitter, op, alpha);
}

std::optional<Value> lower_rsub(const Call& call, Emitter& emitter) {
  if (call.number("alpha") != 1.0) return std::nullopt;
  return emit_binary(call.arg("other"), call.arg("self"), emitter, BinaryOp::sub);
}

constexpr KernelRow kRows[] = {
    {"aten.relu.default", lower_unary<UnaryOp::relu>},
    {"aten.relu6.default", lower_relu6},
    {"aten.hardtanh.default", lower_hardtanh},
    {"aten.clamp.default", lower_clamp},
    {"aten.clamp_min.default", lower_clamp},
    {"aten.clamp_max.default", lower_clamp},
    {"aten.leaky_relu.default", lower_leaky_relu},
    {"aten.hardswish.default", lower_unary<UnaryOp::hardswish>},
    {"aten.hardsigmoid.default", lower_unary<UnaryOp::hardsigmoid>},
    {"aten.sigmoid.default", lower_unary<UnaryOp::sigmoid>},
    {"aten.silu.default", lower_unary<UnaryOp::silu>},
    {"aten.tanh.default", lower_unary<UnaryOp::tanh>},
    {"aten.gelu.default", lower_gelu},
    {"aten.exp.default", lower_unary<UnaryOp::exp>},
    {"aten.erf.default", lower_unary<UnaryOp::erf>},
    {"aten.neg.default", lower_unary<UnaryOp::neg>},
    {"aten.abs.default", lower_unary<UnaryOp::abs>},
    {"aten.sqrt.default", lower_unary<UnaryOp::sqrt>},
    {"aten.rsqrt.default", lower_unary<UnaryOp::rsqrt>},
    {"aten.reciprocal.default", lower_unary<UnaryOp::reciprocal>},
    {"aten.square.default", lower_unary<UnaryOp::square>},
    {"aten.pow.Tensor_Scalar", lower_pow},
    {"aten.add.Tensor", lower_binary<BinaryOp::add>},
    {"aten.add.Scalar", lower_binary<BinaryOp::add>},
    {"aten.sub.Tensor", lower_binary<BinaryOp::sub>},
    {"aten.sub.Scalar", lower_binary<BinaryOp::sub>},
    {"aten.rsub.Tensor", lower_rsub},
    {"aten.rsub.Scalar", lower_rsub},
    {"aten.mul.Tensor", lower_binary<BinaryOp::mul>},
    {"aten.mul.Scalar", lower_binary<BinaryOp::mul>},
    {"aten.div.Tensor", lower_binary<BinaryOp::div>},
    {"aten.div.Scalar", lower_binary<BinaryOp::div>},
    {"aten.maximum.default", lower_binary<BinaryOp::maximum>},
    {"aten.minimum.default", lower_binary<BinaryOp::minimum>},
};

}  // namespace

KernelFamily elementwise_kernels() { return kRows; }

}  // namespace qdq::lower
