// Copies, conversions and putting together.
#include <algorithm>

#include "formats/onnx/write/family.h"
#include "ops/pieces.h"

namespace qdq::onnx {
namespace {

Names write_identity(const Op& op) { return {op.in("self")}; }

Names write_conversion(const Op& op) { return {op.in_as("self", op.result().dtype)}; }

Names write_dropout(const Op& op) {
  if (op.has("train") && op.call.boolean("train") && op.call.number("p") != 0)
    op.refuse("dropout in training mode is random; export the model in evaluation mode");
  Names results{op.in(op.call.schema().args[0].name)};
  results.resize(op.call.schema().returns.size());
  return results;
}

// hstack, vstack and dstack give tensors of few dimensions more: [a] -> [1, a] or [1, a, 1], [a, b] -> [a, b, 1].
Shape added_dims(std::int64_t own, std::int64_t wanted) {
  if (own == wanted) return {};
  if (own == 0) return wanted == 1 ? Shape{0} : wanted == 2 ? Shape{0, 1} : Shape{0, 1, 2};
  if (own == 1) return wanted == 2 ? Shape{0} : Shape{0, 2};
  return {2};
}

// cat skips empty tensors of one dimension.
Names write_cat(const Op& op) {
  const Pieces pieces = pieces_of(op.call);
  const DType dtype = op.result().dtype;
  const Argument::List& tensors = *op.argument("tensors").list();
  const auto rank = static_cast<std::int64_t>(op.result().sizes.size());
  Names parts;
  for (const Argument& item : tensors) {
    const TensorMeta* type = item.node() ? item.node()->type.tensor() : nullptr;
    if (!type) op.refuse("one of its tensors is of unknown type");
    const auto own = static_cast<std::int64_t>(type->sizes.size());
    if (own == 1 && rank > 1 && type->sizes[0] == SymInt(0)) continue;
    parts.push_back(op.unsqueeze(op.value(item, dtype), added_dims(own, rank)));
  }
  if (parts.size() == 1) return {parts[0]};
  return {op.emit("Concat", parts, {{"axis", pieces.dim}})};
}

Names write_stack(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", static_cast<std::int64_t>(op.result().sizes.size()));
  Names parts;
  for (const Argument& item : *op.argument("tensors").list())
    parts.push_back(op.unsqueeze(op.value(item, op.result().dtype), {dim}));
  return {op.emit("Concat", parts, {{"axis", dim}})};
}

Names write_repeat(const Op& op) {
  const char* name = op.call.schema().find_arg("repeats") ? "repeats" : "dims";
  Argument::List repeats = *op.argument(name).list();
  const auto rank = op.rank("self");
  while (static_cast<std::int64_t>(repeats.size()) < rank) repeats.insert(repeats.begin(), Argument(1));
  Shape added;
  for (std::int64_t d = 0; d < static_cast<std::int64_t>(repeats.size()) - rank; ++d) added.push_back(d);
  return {op.emit("Tile", {op.unsqueeze(op.in("self"), added), op.size_list(repeats)})};
}

// Each element `repeats` times: a new dimension behind `dim`, repeated, and taken up again.
Names write_repeat_interleave(const Op& op) {
  const std::int64_t rank = op.has("dim") ? op.rank("self") : 1;
  const std::int64_t dim = op.has("dim") ? op.call.dim("dim", rank) : 0;
  const Name self = op.has("dim") ? op.in("self") : op.reshape(op.in("self"), {-1});
  Argument::List repeats(static_cast<std::size_t>(rank) + 1, Argument(1));
  repeats[static_cast<std::size_t>(dim) + 1] = op.argument("repeats");
  const Name repeated = op.emit("Tile", {op.unsqueeze(self, {dim + 1}), op.size_list(repeats)});
  const Name sizes = op.emit("Shape", {self});
  Names parts;
  if (dim > 0) parts.push_back(op.emit("Slice", {sizes, op.ints({0}), op.ints({dim})}));
  parts.push_back(op.ints({-1}));
  if (dim + 1 < rank) parts.push_back(op.emit("Slice", {sizes, op.ints({dim + 1}), op.ints({rank})}));
  const Name wanted = parts.size() == 1 ? parts[0] : op.emit("Concat", parts, {{"axis", std::int64_t{0}}});
  return {op.emit("Reshape", {repeated, wanted})};
}

// [a b c d] rolled by 1 is [d a b c]: the last elements go first.
Names write_roll(const Op& op) {
  const Shape shifts = op.call.ints("shifts");
  Shape dims = op.call.ints("dims");
  Name value = op.in("self");
  const bool flat = dims.empty();
  if (flat) {
    value = op.reshape(value, {-1});
    dims = {0};
  }
  for (std::size_t i = 0; i < dims.size(); ++i) {
    std::int64_t shift = shifts.at(i);
    const std::int64_t dim = dims[i] < 0 ? dims[i] + op.rank("self") : dims[i];
    if (!flat) {
      const SymInt& size = op.sizes("self")[static_cast<std::size_t>(dim)];
      if (!size.is_symbolic() && size.value > 0) shift %= size.value;
    }
    if (shift == 0) continue;
    const Name axis = op.ints({dim});
    const Name last = op.emit("Slice", {value, op.ints({-shift}), op.ints({INT64_MAX}), axis});
    const Name first = op.emit("Slice", {value, op.ints({0}), op.ints({-shift}), axis});
    value = op.emit("Concat", {last, first}, {{"axis", dim}});
  }
  if (!flat) return {value};
  return {op.emit("Reshape", {value, op.size_list(op.sizes("self"), op.in("self"))})};
}

Names write_flip(const Op& op) {
  Shape dims = op.call.ints("dims");
  if (dims.empty()) return {op.in("self")};
  for (std::int64_t& d : dims) d = d < 0 ? d + op.rank("self") : d;
  const Shape minus_one(dims.size(), -1), least(dims.size(), INT64_MIN);
  return {op.emit("Slice", {op.in("self"), op.ints(minus_one), op.ints(least), op.ints(dims), op.ints(minus_one)})};
}

// `value` in the sizes of self.
Name spread(const Op& op, const Name& value) {
  return op.emit("Expand", {value, op.size_list(op.sizes("self"), op.in("self"))});
}

Names write_copy(const Op& op) { return {spread(op, op.in_as("src", op.result().dtype))}; }
Names write_fill(const Op& op) { return {spread(op, op.in_as("value", op.result().dtype))}; }
Names write_zero(const Op& op) { return {spread(op, op.number(0, op.result().dtype))}; }

// self[..., :start] and self[..., end:] around src.
Names write_slice_scatter(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  if (op.argument("step").node() || op.call.integer("step") != 1) op.refuse("a step other than 1");
  const Name axis = op.ints({dim});
  const Argument &start = op.argument("start"), &end = op.argument("end");
  Names parts;
  if (!start.is_none() && (start.node() || start.to_int() != 0))
    parts.push_back(op.emit("Slice", {op.in("self"), op.ints({0}), op.size(start), axis}));
  parts.push_back(op.in("src"));
  if (!end.is_none() && (end.node() || end.to_int() != INT64_MAX))
    parts.push_back(op.emit("Slice", {op.in("self"), op.size(end), op.ints({INT64_MAX}), axis}));
  return {parts.size() == 1 ? parts[0] : op.emit("Concat", parts, {{"axis", dim}})};
}

constexpr WriteRow kRows[] = {
    {"aten.clone.default", "-", write_identity},
    {"aten.contiguous.default", "-", write_identity},
    {"aten.lift_fresh_copy.default", "-", write_identity},
    {"aten.to.dtype", "Cast", write_conversion},
    {"aten.to.dtype_layout", "Cast", write_conversion},
    {"aten.to.device", "Cast", write_conversion},
    {"aten.to.other", "Cast", write_conversion},
    {"aten._to_copy.default", "Cast", write_conversion},
    {"aten.type_as.default", "Cast", write_conversion},
    {"aten.dropout.default", "-", write_dropout},
    {"aten.feature_dropout.default", "-", write_dropout},
    {"aten.native_dropout.default", "-", write_dropout},
    {"aten.cat.default", "Concat", write_cat},
    {"aten.hstack.default", "Unsqueeze, Concat", write_cat},
    {"aten.vstack.default", "Unsqueeze, Concat", write_cat},
    {"aten.dstack.default", "Unsqueeze, Concat", write_cat},
    {"aten.stack.default", "Unsqueeze, Concat", write_stack},
    {"aten.repeat.default", "Tile", write_repeat},
    {"aten.tile.default", "Tile", write_repeat},
    {"aten.repeat_interleave.self_int", "Unsqueeze, Tile, Reshape", write_repeat_interleave},
    {"aten.roll.default", "Slice, Concat", write_roll},
    {"aten.flip.default", "Slice", write_flip},
    {"aten.copy.default", "Expand", write_copy},
    {"aten.fill.Scalar", "Expand", write_fill},
    {"aten.fill.Tensor", "Expand", write_fill},
    {"aten.zero.default", "Expand", write_zero},
    {"aten.slice_scatter.default", "Slice, Concat", write_slice_scatter},
};

}  // namespace

WriteFamily write_copy_ops() { return kRows; }

}  // namespace qdq::onnx
