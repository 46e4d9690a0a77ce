// Tensors made from numbers.
#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

Name filled(const Op& op, const Name& value, const Name& sizes) { return op.emit("Expand", {value, sizes}); }

Name wanted_sizes(const Op& op) {
  const Argument& size = op.argument("size");
  return op.size_list(size.list() ? *size.list() : Argument::List{size});
}
Name own_sizes(const Op& op) { return op.size_list(op.sizes("self"), op.in("self")); }

Name constant(const Op& op, double value) { return op.number(value, op.result().dtype); }

Names write_zeros(const Op& op) { return {filled(op, constant(op, 0), wanted_sizes(op))}; }
Names write_ones(const Op& op) { return {filled(op, constant(op, 1), wanted_sizes(op))}; }
Names write_full(const Op& op) { return {filled(op, op.in_as("fill_value", op.result().dtype), wanted_sizes(op))}; }
Names write_zeros_like(const Op& op) { return {filled(op, constant(op, 0), own_sizes(op))}; }
Names write_ones_like(const Op& op) { return {filled(op, constant(op, 1), own_sizes(op))}; }
Names write_full_like(const Op& op) { return {filled(op, op.in_as("fill_value", op.result().dtype), own_sizes(op))}; }

Names write_scalar_tensor(const Op& op) { return {op.emit("Identity", {op.in_as("s", op.result().dtype)})}; }

Names write_arange(const Op& op) {
  const DType dtype = op.result().dtype;
  const OpSchema& schema = op.call.schema();
  const Name start = schema.find_arg("start") ? op.in_as("start", dtype) : op.number(0, dtype);
  const Name step = schema.find_arg("step") ? op.in_as("step", dtype) : op.number(1, dtype);
  return {op.emit("Range", {start, op.in_as("end", dtype), step})};
}

constexpr WriteRow kRows[] = {
    {"aten.zeros.default", "Expand", write_zeros},
    {"aten.ones.default", "Expand", write_ones},
    {"aten.full.default", "Expand", write_full},
    {"aten.zeros_like.default", "Expand", write_zeros_like},
    {"aten.ones_like.default", "Expand", write_ones_like},
    {"aten.full_like.default", "Expand", write_full_like},
    {"aten.new_zeros.default", "Expand", write_zeros},
    {"aten.new_ones.default", "Expand", write_ones},
    {"aten.new_full.default", "Expand", write_full},
    {"aten.empty.memory_format", "Expand", write_zeros},
    {"aten.empty_like.default", "Expand", write_zeros_like},
    {"aten.new_empty.default", "Expand", write_zeros},
    {"aten.scalar_tensor.default", "Identity", write_scalar_tensor},
    {"aten.arange.default", "Range", write_arange},
    {"aten.arange.start", "Range", write_arange},
    {"aten.arange.start_step", "Range", write_arange},
};

}  // namespace

WriteFamily write_creation_ops() { return kRows; }

}  // namespace qdq::onnx
