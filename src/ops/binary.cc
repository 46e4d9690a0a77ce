#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

Shape sizes_of(const Value& value) { return value.tensor() ? value.tensor()->sizes() : Shape(); }

// The two operands are the first two arguments: tensors or numbers.
std::vector<Value> infer_promoted(const Call& call) {
  const Value& a = call.arg(call.schema().args[0].name);
  const Value& b = call.arg(call.schema().args[1].name);
  return {meta_value(result_type({a, b}), broadcast(call, sizes_of(a), sizes_of(b)))};
}

// Division without a rounding mode is a float.
std::vector<Value> infer_division(const Call& call) {
  const Value& a = call.arg("self");
  const Value& b = call.arg("other");
  const DType promoted = result_type({a, b});
  const bool rounds = call.has("rounding_mode");
  return {meta_value(rounds ? promoted : float_result(promoted), broadcast(call, sizes_of(a), sizes_of(b)))};
}

std::vector<Value> infer_atan2(const Call& call) {
  const Tensor& a = call.tensor("self");
  const Tensor& b = call.tensor("other");
  return {meta_value(float_result(result_type({a, b})), broadcast(call, a.sizes(), b.sizes()))};
}

// addcmul, addcdiv, lerp: three tensors.
std::vector<Value> infer_three(const Call& call) {
  Shape sizes;
  std::vector<Value> operands;
  for (std::size_t i = 0; i < 3; ++i) {
    const Value& value = call.arg(call.schema().args[i].name);
    operands.push_back(value);
    sizes = broadcast(call, sizes, sizes_of(value));
  }
  return {meta_value(result_type(operands), std::move(sizes))};
}

constexpr OpRow kRows[] = {
    {"aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", infer_promoted},
    {"aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", infer_promoted},
    {"aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", infer_promoted},
    {"aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", infer_promoted},
    {"aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", infer_promoted},
    {"aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", infer_promoted},
    {"aten::mul.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::mul.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)", infer_first_itself},
    {"aten::add_.Scalar(Tensor(a!) self, Scalar other, Scalar alpha=1) -> Tensor(a!)", infer_first_itself},
    {"aten::sub_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)", infer_first_itself},
    {"aten::sub_.Scalar(Tensor(a!) self, Scalar other, Scalar alpha=1) -> Tensor(a!)", infer_first_itself},
    {"aten::mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", infer_first_itself},
    {"aten::mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", infer_first_itself},
    {"aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", infer_first_itself},
    {"aten::div_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", infer_first_itself},
    {"aten::div.Tensor(Tensor self, Tensor other) -> Tensor", infer_division},
    {"aten::div.Scalar(Tensor self, Scalar other) -> Tensor", infer_division},
    {"aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor", infer_division},
    {"aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor", infer_division},
    {"aten::floor_divide(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::floor_divide.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::remainder.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::remainder.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::fmod.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::fmod.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", infer_promoted},
    {"aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", infer_promoted},
    {"aten::pow_.Scalar(Tensor(a!) self, Scalar exponent) -> Tensor(a!)", infer_first_itself},
    {"aten::pow_.Tensor(Tensor(a!) self, Tensor exponent) -> Tensor(a!)", infer_first_itself},
    {"aten::pow.Scalar(Scalar self, Tensor exponent) -> Tensor", infer_promoted},
    {"aten::maximum(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::minimum(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::max.other(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::min.other(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::bitwise_and.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::bitwise_or.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::bitwise_xor.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::bitwise_or.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::__and__.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::__or__.Tensor(Tensor self, Tensor other) -> Tensor", infer_promoted},
    {"aten::__and__.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::__or__.Scalar(Tensor self, Scalar other) -> Tensor", infer_promoted},
    {"aten::atan2(Tensor self, Tensor other) -> Tensor", infer_atan2},
    {"aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor", infer_three},
    {"aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor", infer_three},
    {"aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor", infer_three},
};

}  // namespace

OpFamily binary_ops() { return kRows; }

}  // namespace qdq
