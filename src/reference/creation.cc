#include "reference/eval.h"

namespace qdq {
namespace {

// A tensor of the sizes and dtype that the schema infers, filled with a number.
std::vector<Value> filled(const Call& call, const Value& number) {
  const std::vector<Value> inferred = call.schema().infer(call);
  const Tensor& meta = *inferred.front().tensor();
  return {expand(call, operand(call, number, meta.dtype()), meta.sizes()).clone()};
}

std::vector<Value> eval_zeros(const Call& call) { return filled(call, std::int64_t{0}); }  // empty too: repeatable
std::vector<Value> eval_ones(const Call& call) { return filled(call, std::int64_t{1}); }
std::vector<Value> eval_full(const Call& call) { return filled(call, call.arg("fill_value")); }
std::vector<Value> eval_scalar_tensor(const Call& call) { return filled(call, call.arg("s")); }

std::vector<Value> eval_arange(const Call& call) {
  const std::vector<Value> inferred = call.schema().infer(call);
  const Tensor& meta = *inferred.front().tensor();
  const double start = call.schema().find_arg("start") ? call.number("start") : 0;
  const double step = call.schema().find_arg("step") ? call.number("step") : 1;
  const Tensor out = Tensor::empty(DType::float64, meta.sizes());
  for (std::int64_t i = 0; i < out.numel(); ++i) out.data<double>()[i] = start + static_cast<double>(i) * step;
  return {out.to(meta.dtype())};
}

// From both ends to the middle, so that the last number is `end` exactly.
std::vector<Value> eval_linspace(const Call& call) {
  const std::vector<Value> inferred = call.schema().infer(call);
  const Tensor& meta = *inferred.front().tensor();
  const std::int64_t steps = call.integer("steps");
  const double start = call.number("start");
  const double end = call.number("end");
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  const Tensor out = Tensor::empty(DType::float64, meta.sizes());
  for (std::int64_t i = 0; i < steps; ++i)
    out.data<double>()[i] = i < steps / 2 || steps == 1 ? start + static_cast<double>(i) * step
                                                        : end - static_cast<double>(steps - 1 - i) * step;
  return {out.to(meta.dtype())};
}

std::vector<Value> eval_eye(const Call& call) {
  const std::vector<Value> inferred = call.schema().infer(call);
  const Tensor& meta = *inferred.front().tensor();
  const Tensor out = Tensor::empty(DType::int64, meta.sizes());
  for (std::int64_t i = 0; i < out.size(0); ++i) out.data<std::int64_t>()[i * (out.size(0) + 1)] = 1;
  return {out.to(meta.dtype())};
}

constexpr KernelRow kRows[] = {
    {"aten.zeros.default", eval_zeros},
    {"aten.ones.default", eval_ones},
    {"aten.full.default", eval_full},
    {"aten.empty.memory_format", eval_zeros},
    {"aten.zeros_like.default", eval_zeros},
    {"aten.ones_like.default", eval_ones},
    {"aten.full_like.default", eval_full},
    {"aten.empty_like.default", eval_zeros},
    {"aten.new_zeros.default", eval_zeros},
    {"aten.new_ones.default", eval_ones},
    {"aten.new_full.default", eval_full},
    {"aten.new_empty.default", eval_zeros},
    {"aten.scalar_tensor.default", eval_scalar_tensor},
    {"aten.arange.default", eval_arange},
    {"aten.arange.start", eval_arange},
    {"aten.arange.start_step", eval_arange},
    {"aten.linspace.default", eval_linspace},
    {"aten.eye.default", eval_eye},
};

}  // namespace

KernelFamily creation_kernels() { return kRows; }

}  // namespace qdq
