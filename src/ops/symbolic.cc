// Ops on sizes and other Python numbers, and the assertions that torch.export records about them.
#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

constexpr OpTraits kAssertion{.is_assertion = true};

std::vector<Value> infer_sym_size(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) call.fail("size of a 0-dim tensor");
  return {self.size(call.dim("dim", self.dim()))};
}

std::vector<Value> infer_sym_stride(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) call.fail("stride of a 0-dim tensor");
  return {self.strides()[static_cast<std::size_t>(call.dim("dim", self.dim()))]};
}

std::vector<Value> infer_sym_numel(const Call& call) { return {call.tensor("self").numel()}; }
std::vector<Value> infer_sym_storage_offset(const Call& call) { return {call.tensor("self").storage_offset()}; }

std::vector<Value> infer_getitem(const Call& call) {
  const Value::List* list = call.arg("a").list();
  if (!list) call.fail("getitem of a value that is not a list");
  const auto length = static_cast<std::int64_t>(list->size());
  const std::int64_t index = call.integer("b");
  if (index < -length || index >= length)
    call.fail("index " + std::to_string(index) + " of a list of " + std::to_string(length));
  return {(*list)[static_cast<std::size_t>(index < 0 ? index + length : index)]};
}

constexpr OpRow kRows[] = {
    {"operator::getitem(Any a, int b) -> Any", infer_getitem, {.shares_qparams = true}},
    {"aten::sym_size.int(Tensor self, int dim) -> SymInt", infer_sym_size},
    {"aten::sym_stride.int(Tensor self, int dim) -> SymInt", infer_sym_stride},
    {"aten::sym_numel(Tensor self) -> SymInt", infer_sym_numel},
    {"aten::sym_storage_offset(Tensor self) -> SymInt", infer_sym_storage_offset},
    {"_operator::add(Scalar a, Scalar b) -> Scalar"},
    {"_operator::sub(Scalar a, Scalar b) -> Scalar"},
    {"_operator::mul(Scalar a, Scalar b) -> Scalar"},
    {"_operator::truediv(Scalar a, Scalar b) -> Scalar"},
    {"_operator::floordiv(Scalar a, Scalar b) -> Scalar"},
    {"_operator::mod(Scalar a, Scalar b) -> Scalar"},
    {"_operator::pow(Scalar a, Scalar b) -> Scalar"},
    {"_operator::neg(Scalar a) -> Scalar"},
    {"_operator::eq(Scalar a, Scalar b) -> bool"},
    {"_operator::ne(Scalar a, Scalar b) -> bool"},
    {"_operator::lt(Scalar a, Scalar b) -> bool"},
    {"_operator::le(Scalar a, Scalar b) -> bool"},
    {"_operator::gt(Scalar a, Scalar b) -> bool"},
    {"_operator::ge(Scalar a, Scalar b) -> bool"},
    {"_operator::and_(Scalar a, Scalar b) -> Scalar"},
    {"_operator::or_(Scalar a, Scalar b) -> Scalar"},
    {"math::trunc(Scalar a) -> int"},
    {"math::ceil(Scalar a) -> int"},
    {"math::floor(Scalar a) -> int"},
    {"torch::sym_not(Scalar a) -> bool"},
    {"torch::sym_float(Scalar a) -> float"},
    {"torch::sym_int(Scalar a) -> int"},
    {"torch::sym_max(Scalar a, Scalar b) -> Scalar"},
    {"torch::sym_min(Scalar a, Scalar b) -> Scalar"},
    {"aten::item(Tensor self) -> Scalar"},
    {"aten::_local_scalar_dense(Tensor self) -> Scalar"},
    {"aten::_assert_scalar(Scalar self, str assert_msg) -> ()", infer_nothing, kAssertion},
    {"aten::_assert_async(Tensor self) -> ()", infer_nothing, kAssertion},
    {"aten::_assert_async.msg(Tensor self, str assert_msg) -> ()", infer_nothing, kAssertion},
    {"aten::sym_constrain_range(Scalar size, *, int? min=None, int? max=None) -> ()", infer_nothing, kAssertion},
    {"aten::sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()", infer_nothing,
     kAssertion},
};

}  // namespace

OpFamily symbolic_ops() { return kRows; }

}  // namespace qdq
