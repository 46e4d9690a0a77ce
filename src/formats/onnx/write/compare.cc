#include "formats/onnx/write/family.h"
#include "ops/promotion.h"

namespace qdq::onnx {
namespace {

Name compared(const Op& op, std::string_view name) {
  DType dtype = result_type({op.call.arg("self"), op.call.arg("other")});
  if (dtype == DType::bool_ && name != "Equal") dtype = DType::int32;  // ONNX orders numbers only
  return op.emit(name, {op.in_as("self", dtype), op.in_as("other", dtype)});
}

Names write_eq(const Op& op) { return {compared(op, "Equal")}; }
Names write_ne(const Op& op) { return {op.emit("Not", {compared(op, "Equal")})}; }
Names write_lt(const Op& op) { return {compared(op, "Less")}; }
Names write_le(const Op& op) { return {compared(op, "LessOrEqual")}; }
Names write_gt(const Op& op) { return {compared(op, "Greater")}; }
Names write_ge(const Op& op) { return {compared(op, "GreaterOrEqual")}; }

Names write_logical(const Op& op, std::string_view name) {
  return {op.emit(name, {op.in_as("self", DType::bool_), op.in_as("other", DType::bool_)})};
}
Names write_logical_and(const Op& op) { return write_logical(op, "And"); }
Names write_logical_or(const Op& op) { return write_logical(op, "Or"); }
Names write_logical_xor(const Op& op) { return write_logical(op, "Xor"); }

Names write_where(const Op& op) {
  const DType dtype = op.result().dtype;
  return {op.emit("Where", {op.in_as("condition", DType::bool_), op.in_as("self", dtype), op.in_as("other", dtype)})};
}

Names write_masked_fill(const Op& op) {
  return {op.emit("Where", {op.in("mask"), op.in_as("value", op.result().dtype), op.in("self")})};
}

constexpr WriteRow kRows[] = {
    {"aten.eq.Tensor", "Equal", write_eq},
    {"aten.eq.Scalar", "Equal", write_eq},
    {"aten.ne.Tensor", "Equal, Not", write_ne},
    {"aten.ne.Scalar", "Equal, Not", write_ne},
    {"aten.lt.Tensor", "Less", write_lt},
    {"aten.lt.Scalar", "Less", write_lt},
    {"aten.le.Tensor", "LessOrEqual", write_le},
    {"aten.le.Scalar", "LessOrEqual", write_le},
    {"aten.gt.Tensor", "Greater", write_gt},
    {"aten.gt.Scalar", "Greater", write_gt},
    {"aten.ge.Tensor", "GreaterOrEqual", write_ge},
    {"aten.ge.Scalar", "GreaterOrEqual", write_ge},
    {"aten.logical_and.default", "And", write_logical_and},
    {"aten.logical_or.default", "Or", write_logical_or},
    {"aten.logical_xor.default", "Xor", write_logical_xor},
    {"aten.where.self", "Where", write_where},
    {"aten.where.ScalarOther", "Where", write_where},
    {"aten.where.ScalarSelf", "Where", write_where},
    {"aten.where.Scalar", "Where", write_where},
    {"aten.masked_fill.Scalar", "Where", write_masked_fill},
    {"aten.masked_fill.Tensor", "Where", write_masked_fill},
};

}  // namespace

WriteFamily write_compare_ops() { return kRows; }

}  // namespace qdq::onnx
