#include "lower/batch_norm.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "runtime/elementwise.h"
#include "runtime/rows.h"

namespace qdq::lower {
namespace {

template <bool log>
std::optional<Value> lower_softmax(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  if (!is_float(input) || input.dim() == 0 || input.numel() == 0) return std::nullopt;
  if (call.schema().find_arg("dtype") && call.dtype("dtype", DType::float32) != DType::float32) return std::nullopt;
  const std::int64_t dim = call.dim("dim", input.dim());
  // Another dimension is brought to the end in memory first.
  std::vector<std::int64_t> order;
  for (std::int64_t d = 0; d < input.dim(); ++d)
    if (d != dim) order.push_back(d);
  order.push_back(dim);
  Tensor rows = input.permute(order);
  if (rows.strides().back() != 1 && rows.sizes().back() != 1) rows = emitter.contiguous(rows);
  const Tensor out = emitter.allocate(DType::float32, rows.sizes());
  emitter.emit(runtime::softmax_step(emitter.name(), rows, out, log));
  std::vector<std::int64_t> back(order.size());
  for (std::size_t d = 0; d < order.size(); ++d)
    back[static_cast<std::size_t>(order[d])] = static_cast<std::int64_t>(d);
  return Value(out.permute(back));
}

std::optional<Value> lower_layer_norm(const Call& call, Emitter& emitter) {
  Tensor gamma = call.optional_tensor("weight");
  Tensor beta = call.optional_tensor("bias");
  if (!is_float(call.tensor("input")) || call.tensor("input").numel() == 0) return std::nullopt;
  if ((gamma.defined() && !is_float(gamma)) || (beta.defined() && !is_float(beta))) return std::nullopt;
  const Tensor input = emitter.contiguous(call.tensor("input"));
  const std::int64_t n = numel(call.ints("normalized_shape"));
  const auto flat = [&](const Tensor& t) {
    return t.defined() ? emitter.contiguous(t).as_strided({n}, {1}, t.storage_offset()) : t;
  };
  gamma = flat(gamma);
  beta = flat(beta);
  const Tensor out = emitter.allocate(DType::float32, input.sizes());
  const Shape rows = {input.numel() / n, n};
  const auto as_rows = [&](const Tensor& t) { return t.as_strided(rows, {n, 1}, t.storage_offset()); };
  emitter.emit(runtime::layer_norm_step(emitter.name(), as_rows(input), gamma, beta, as_rows(out),
                                        static_cast<float>(call.number("eps"))));
  return Value(out);
}

std::optional<Value> lower_batch_norm(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("input");
  for (const char* name : {"weight", "bias", "running_mean", "running_var"})
    if (const Tensor t = call.optional_tensor(name); t.defined() && !emitter.is_constant(t)) return std::nullopt;
  if (!is_float(input) || input.dim() < 2) return std::nullopt;
  const auto affine = channel_affine_of(call);
  if (!affine) return std::nullopt;
  const Tensor out = emitter.allocate_result(DType::float32, input.sizes(), input);
  const auto per_channel = [&](const Tensor& t) {
    Shape strides(input.sizes().size(), 0);
    strides[1] = 1;
    return t.as_strided(input.sizes(), std::move(strides), 0);
  };
  emitter.emit(runtime::binary_step(emitter.name(), runtime::BinaryOp::mul, input, per_channel(affine->scale), out));
  emitter.emit(runtime::binary_step(emitter.name(), runtime::BinaryOp::add, out, per_channel(affine->shift), out));
  return Value(out);
}

std::optional<Value> lower_native_batch_norm(const Call& call, Emitter& emitter) {
  auto result = lower_batch_norm(call, emitter);
  if (!result) return std::nullopt;
  const Tensor none = Tensor::empty(DType::float32, {0});  // torch returns no statistics in inference
  return Value(Value::List{*result, none, none});
}

constexpr KernelRow kRows[] = {
    {"aten.softmax.int", lower_softmax<false>},
    {"aten._softmax.default", lower_softmax<false>},
    {"aten.log_softmax.int", lower_softmax<true>},
    {"aten._log_softmax.default", lower_softmax<true>},
    {"aten.layer_norm.default", lower_layer_norm},
    {"aten.batch_norm.default", lower_batch_norm},
    {"aten._native_batch_norm_legit_no_training.default", lower_native_batch_norm},
};

}  // namespace

KernelFamily norm_kernels() { return kRows; }

}  // namespace qdq::lower
