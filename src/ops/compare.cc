#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

Shape sizes_of(const Value& value) { return value.tensor() ? value.tensor()->sizes() : Shape(); }

std::vector<Value> infer_compare(const Call& call) {
  return {meta_value(DType::bool_, broadcast(call, sizes_of(call.arg("self")), sizes_of(call.arg("other"))))};
}

std::vector<Value> infer_where(const Call& call) {
  const Value& a = call.arg("self");
  const Value& b = call.arg("other");
  const Shape chosen = broadcast(call, sizes_of(a), sizes_of(b));
  return {meta_value(result_type({a, b}), broadcast(call, call.tensor("condition").sizes(), chosen))};
}

std::vector<Value> infer_masked_fill(const Call& call) {
  const Tensor& self = call.tensor("self");
  return {meta_value(self.dtype(), broadcast(call, self.sizes(), call.tensor("mask").sizes()))};
}

constexpr OpRow kRows[] = {
    {"aten::eq.Tensor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::eq.Scalar(Tensor self, Scalar other) -> Tensor", infer_compare},
    {"aten::ne.Tensor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::ne.Scalar(Tensor self, Scalar other) -> Tensor", infer_compare},
    {"aten::lt.Tensor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::lt.Scalar(Tensor self, Scalar other) -> Tensor", infer_compare},
    {"aten::le.Tensor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::le.Scalar(Tensor self, Scalar other) -> Tensor", infer_compare},
    {"aten::gt.Tensor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::gt.Scalar(Tensor self, Scalar other) -> Tensor", infer_compare},
    {"aten::ge.Tensor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::ge.Scalar(Tensor self, Scalar other) -> Tensor", infer_compare},
    {"aten::logical_and(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::logical_or(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::logical_xor(Tensor self, Tensor other) -> Tensor", infer_compare},
    {"aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", infer_where},
    {"aten::where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", infer_where},
    {"aten::where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", infer_where},
    {"aten::where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", infer_where},
    {"aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor", infer_masked_fill},
    {"aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor", infer_masked_fill},
    {"aten::masked_fill_.Scalar(Tensor(a!) self, Tensor mask, Scalar value) -> Tensor(a!)", infer_first_itself},
    {"aten::masked_fill_.Tensor(Tensor(a!) self, Tensor mask, Tensor value) -> Tensor(a!)", infer_first_itself},
};

}  // namespace

OpFamily compare_ops() { return kRows; }

}  // namespace qdq
