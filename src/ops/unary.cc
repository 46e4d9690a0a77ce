#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

std::vector<Value> infer_float(const Call& call) {
  const Tensor& self = first_tensor(call);
  return {meta_value(float_result(self.dtype()), self.sizes())};
}

std::vector<Value> infer_bool(const Call& call) { return {meta_value(DType::bool_, first_tensor(call).sizes())}; }

std::vector<Value> infer_clamp(const Call& call) {
  Shape sizes = first_tensor(call).sizes();
  std::vector<Value> operands;
  for (const ArgSchema& arg : call.schema().args) {
    const Value& value = call.arg(arg.name);
    operands.push_back(value);
    if (const Tensor* tensor = value.tensor()) sizes = broadcast(call, sizes, tensor->sizes());
  }
  return {meta_value(result_type(operands), std::move(sizes))};
}

constexpr OpRow kRows[] = {
    {"aten::abs(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::neg(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::sign(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::floor(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::ceil(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::round(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::trunc(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::square(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::bitwise_not(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::exp(Tensor self) -> Tensor", infer_float},
    {"aten::expm1(Tensor self) -> Tensor", infer_float},
    {"aten::log(Tensor self) -> Tensor", infer_float},
    {"aten::log1p(Tensor self) -> Tensor", infer_float},
    {"aten::log2(Tensor self) -> Tensor", infer_float},
    {"aten::log10(Tensor self) -> Tensor", infer_float},
    {"aten::sqrt(Tensor self) -> Tensor", infer_float},
    {"aten::rsqrt(Tensor self) -> Tensor", infer_float},
    {"aten::reciprocal(Tensor self) -> Tensor", infer_float},
    {"aten::sin(Tensor self) -> Tensor", infer_float},
    {"aten::cos(Tensor self) -> Tensor", infer_float},
    {"aten::tan(Tensor self) -> Tensor", infer_float},
    {"aten::sinh(Tensor self) -> Tensor", infer_float},
    {"aten::cosh(Tensor self) -> Tensor", infer_float},
    {"aten::asin(Tensor self) -> Tensor", infer_float},
    {"aten::acos(Tensor self) -> Tensor", infer_float},
    {"aten::atan(Tensor self) -> Tensor", infer_float},
    {"aten::asinh(Tensor self) -> Tensor", infer_float},
    {"aten::acosh(Tensor self) -> Tensor", infer_float},
    {"aten::atanh(Tensor self) -> Tensor", infer_float},
    {"aten::erf(Tensor self) -> Tensor", infer_float},
    {"aten::log_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::round_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::floor_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::reciprocal_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::rsqrt_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::abs_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::neg_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::exp_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::sqrt_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::isnan(Tensor self) -> Tensor", infer_bool},
    {"aten::isinf(Tensor self) -> Tensor", infer_bool},
    {"aten::isfinite(Tensor self) -> Tensor", infer_bool},
    {"aten::logical_not(Tensor self) -> Tensor", infer_bool},
    {"aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", infer_clamp},
    {"aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", infer_clamp},
    {"aten::clamp_min(Tensor self, Scalar min) -> Tensor", infer_clamp},
    {"aten::clamp_max(Tensor self, Scalar max) -> Tensor", infer_clamp},
    {"aten::clamp_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)", infer_first_itself},
    {"aten::clamp_min_(Tensor(a!) self, Scalar min) -> Tensor(a!)", infer_first_itself},
    {"aten::clamp_max_(Tensor(a!) self, Scalar max) -> Tensor(a!)", infer_first_itself},
};

}  // namespace

OpFamily unary_ops() { return kRows; }

}  // namespace qdq
