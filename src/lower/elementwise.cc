#include "runtime/elementwise.h"
#include "lower/fuse_post_ops.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"

namespace qdq::lower {
namespace {

using runtime::BinaryOp;
using runtime::UnaryOp;

// Calls emit(input, result).
template <typename Emit>
std::optional<Value> emit_map(const Call& call, Emitter& emitter, Emit&& emit) {
  const Tensor& a = first_tensor(call);
  if (!is_float(a)) return std::nullopt;
  const Tensor out = emitter.allocate_result(DType::float32, a.sizes(), a);
  emitter.emit(emit(a, out));
  return Value(out);
}

std::optional<Value> emit_unary(const Call& call, Emitter& emitter, UnaryOp op) {
  return emit_map(call, emitter,
                  [&](const Tensor& a, const Tensor& out) { return runtime::unary_step(emitter.name(), op, a, out); });
}

template <UnaryOp op>
std::optional<Value> lower_unary(const Call& call, Emitter& emitter) {
  return emit_unary(call, emitter, op);
}

std::optional<Value> lower_activation(const Call& call, Emitter& emitter) {
  const auto activation = activation_of(call);
  if (!activation) return std::nullopt;
  return emit_map(call, emitter, [&](const Tensor& a, const Tensor& out) {
    return runtime::activation_step(emitter.name(), *activation, a, out);
  });
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
    {"aten.relu.default", lower_activation},
    {"aten.relu6.default", lower_activation},
    {"aten.hardtanh.default", lower_activation},
    {"aten.clamp.default", lower_activation},
    {"aten.clamp_min.default", lower_activation},
    {"aten.clamp_max.default", lower_activation},
    {"aten.leaky_relu.default", lower_activation},
    {"aten.hardswish.default", lower_activation},
    {"aten.hardsigmoid.default", lower_activation},
    {"aten.sigmoid.default", lower_activation},
    {"aten.silu.default", lower_activation},
    {"aten.tanh.default", lower_activation},
    {"aten.gelu.default", lower_activation},
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
