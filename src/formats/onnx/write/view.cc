// Other shapes and pieces of a tensor. ONNX has no views: each is a value of its own.
#include <algorithm>
#include <numeric>

#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

Names write_identity(const Op& op) { return {op.in("self")}; }

// With one unknown size ONNX finds it; with more, the list is computed when the model runs.
Name reshaped(const Op& op, const Argument::List& sizes) {
  Shape values;
  std::size_t unknown = 0;
  for (const Argument& size : sizes) {
    values.push_back(size.node() ? -1 : size.to_int());
    unknown += values.back() == -1 ? 1U : 0U;
  }
  NodeAttributes attributes;
  if (std::count(values.begin(), values.end(), 0) > 0) {  // else a 0 means "as the input"
    op.need_opset(14, "reshaping to a size of 0");
    attributes.emplace_back("allowzero", std::int64_t{1});
  }
  return op.emit("Reshape", {op.in("self"), unknown <= 1 ? op.ints(values) : op.size_list(sizes)}, attributes);
}

Names write_view(const Op& op) {
  const char* name = op.call.schema().find_arg("size") ? "size" : "shape";
  const Argument& sizes = op.argument(name);
  return {reshaped(op, sizes.list() ? *sizes.list() : Argument::List{sizes})};
}

Names write_view_as(const Op& op) { return {op.emit("Reshape", {op.in("self"), op.emit("Shape", {op.in("other")})})}; }

// The sizes of self with those of dimensions [first, last] replaced.
Name sizes_with(const Op& op, std::int64_t first, std::int64_t last, const Name& replacement) {
  const std::int64_t rank = op.rank("self");
  const Name sizes = op.emit("Shape", {op.in("self")});
  Names parts;
  if (first > 0) parts.push_back(op.emit("Slice", {sizes, op.ints({0}), op.ints({first})}));
  parts.push_back(replacement);
  if (last + 1 < rank) parts.push_back(op.emit("Slice", {sizes, op.ints({last + 1}), op.ints({rank})}));
  return parts.size() == 1 ? parts[0] : op.emit("Concat", parts, {{"axis", std::int64_t{0}}});
}

// The result's sizes when at most one of them is symbolic.
std::optional<Shape> nearly_static_sizes(const Op& op) {
  Shape sizes;
  for (const SymInt& size : op.result().sizes) sizes.push_back(size.is_symbolic() ? -1 : size.value);
  if (std::count(sizes.begin(), sizes.end(), -1) > 1 || std::count(sizes.begin(), sizes.end(), 0) > 0)
    return std::nullopt;
  return sizes;
}

Names write_flatten(const Op& op) {
  const std::int64_t rank = op.rank("self");
  if (rank == 0) return {op.reshape(op.in("self"), {1})};
  if (const auto sizes = nearly_static_sizes(op)) return {op.reshape(op.in("self"), *sizes)};
  const std::int64_t first = op.call.dim("start_dim", rank), last = op.call.dim("end_dim", rank);
  return {op.emit("Reshape", {op.in("self"), sizes_with(op, first, last, op.ints({-1}))})};
}

Names write_unflatten(const Op& op) {
  if (const auto sizes = nearly_static_sizes(op)) return {op.reshape(op.in("self"), *sizes)};
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  return {op.emit("Reshape", {op.in("self"), sizes_with(op, dim, dim, op.size_list(*op.argument("sizes").list()))})};
}

Names write_unsqueeze(const Op& op) { return {op.unsqueeze(op.in("self"), {op.call.dim("dim", op.rank("self") + 1)})}; }

// torch leaves dimensions alone whose size is not 1.
Names write_squeeze(const Op& op) {
  const std::vector<SymInt>& sizes = op.sizes("self");
  const auto rank = static_cast<std::int64_t>(sizes.size());
  Shape wanted(sizes.size());
  std::iota(wanted.begin(), wanted.end(), 0);
  if (op.call.schema().find_arg("dim")) wanted = op.call.ints("dim");
  Shape dims;
  for (std::int64_t d : wanted) {
    d = d < 0 ? d + rank : d;
    if (d >= 0 && d < rank && sizes[static_cast<std::size_t>(d)] == SymInt(1)) dims.push_back(d);
  }
  std::sort(dims.begin(), dims.end());
  return {op.squeeze(op.in("self"), dims)};
}

// -1 keeps a size; so does 1 in ONNX.
Names write_expand(const Op& op) {
  Argument::List sizes = *op.argument("size").list();
  for (Argument& size : sizes)
    if (!size.node() && size.to_int() == -1) size = Argument(1);
  return {op.emit("Expand", {op.in("self"), op.size_list(sizes)})};
}
Names write_expand_as(const Op& op) { return {op.emit("Expand", {op.in("self"), op.emit("Shape", {op.in("other")})})}; }

Shape identity_order(const Op& op) {
  Shape order(static_cast<std::size_t>(op.rank("self")));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

Names swapped(const Op& op, std::int64_t a, std::int64_t b) {
  Shape order = identity_order(op);
  if (!order.empty()) std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  return {op.transpose(op.in("self"), order)};
}
Names write_transpose(const Op& op) {
  const bool axes = op.call.schema().find_arg("axis0") != nullptr;
  const std::int64_t rank = op.rank("self");
  return swapped(op, op.call.dim(axes ? "axis0" : "dim0", rank), op.call.dim(axes ? "axis1" : "dim1", rank));
}
Names write_t(const Op& op) {
  const std::int64_t rank = op.rank("self");
  return rank < 2 ? Names{op.in("self")} : swapped(op, rank - 2, rank - 1);
}
Names write_numpy_t(const Op& op) {
  Shape order = identity_order(op);
  std::reverse(order.begin(), order.end());
  return {op.transpose(op.in("self"), order)};
}
Names write_permute(const Op& op) {
  Shape order = op.call.ints("dims");
  for (std::int64_t& d : order) d = d < 0 ? d + op.rank("self") : d;
  return {op.transpose(op.in("self"), order)};
}
Names write_movedim(const Op& op) {
  const std::int64_t rank = op.rank("self");
  Shape order(static_cast<std::size_t>(rank), -1), left = identity_order(op);
  const Shape from = op.call.ints("source"), to = op.call.ints("destination");
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::int64_t source = from[i] < 0 ? from[i] + rank : from[i];
    order.at(static_cast<std::size_t>(to[i] < 0 ? to[i] + rank : to[i])) = source;
    std::erase(left, source);
  }
  auto next = left.begin();
  for (std::int64_t& d : order)
    if (d < 0) d = *next++;
  return {op.transpose(op.in("self"), order)};
}

Name bound(const Op& op, std::string_view name, std::int64_t otherwise) {
  const Argument& given = op.argument(name);
  return given.is_none() ? op.ints({otherwise}) : op.size(given);
}

Names write_slice(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  const Argument& step = op.argument("step");
  Names inputs{op.in("self"), bound(op, "start", 0), bound(op, "end", INT64_MAX), op.ints({dim})};
  if (step.node() || step.to_int() != 1) inputs.push_back(op.size(step));
  return {op.emit("Slice", inputs)};
}

Names write_select(const Op& op) {
  const Argument& index = op.argument("index");
  const Name place = index.node() ? op.squeeze(op.size(index), {0}) : op.number(index.to_double(), DType::int64);
  return {op.emit("Gather", {op.in("self"), place}, {{"axis", op.call.dim("dim", op.rank("self"))}})};
}

Names write_narrow(const Op& op) {
  const Name start = op.size(op.argument("start"));
  const Name end = op.emit("Add", {start, op.size(op.argument("length"))});
  return {op.emit("Slice", {op.in("self"), start, end, op.ints({op.call.dim("dim", op.rank("self"))})})};
}

// split, split_with_sizes and chunk: the sizes of the pieces are those of the results.
Names write_split(const Op& op) {
  const ValueType::List* pieces = op.node.type.list();
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  if (!pieces || pieces->empty()) op.refuse("the number of its results is not known");
  if (pieces->size() == 1) return {op.in("self")};
  Shape sizes;
  for (const ValueType& piece : *pieces) {
    const TensorMeta* type = piece.tensor();
    if (!type || type->sizes.at(static_cast<std::size_t>(dim)).is_symbolic())
      op.refuse("the sizes of the pieces are symbolic");
    sizes.push_back(type->sizes[static_cast<std::size_t>(dim)].value);
  }
  return op.emit_many("Split", {op.in("self"), op.ints(sizes)}, sizes.size(), {{"axis", dim}});
}

Names write_unbind(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  const SymInt& count = op.sizes("self")[static_cast<std::size_t>(dim)];
  if (count.is_symbolic()) op.refuse("the number of its results is symbolic");
  Names results;
  for (std::int64_t i = 0; i < count.value; ++i)
    results.push_back(
        op.emit("Gather", {op.in("self"), op.number(static_cast<double>(i), DType::int64)}, {{"axis", dim}}));
  return results;
}

constexpr WriteRow kRows[] = {
    {"aten.view.default", "Reshape", write_view},
    {"aten._unsafe_view.default", "Reshape", write_view},
    {"aten.reshape.default", "Reshape", write_view},
    {"aten.view_as.default", "Shape, Reshape", write_view_as},
    {"aten.flatten.using_ints", "Reshape", write_flatten},
    {"aten.unflatten.int", "Reshape", write_unflatten},
    {"aten.unsqueeze.default", "Unsqueeze", write_unsqueeze},
    {"aten.squeeze.default", "Squeeze", write_squeeze},
    {"aten.squeeze.dim", "Squeeze", write_squeeze},
    {"aten.squeeze.dims", "Squeeze", write_squeeze},
    {"aten.expand.default", "Expand", write_expand},
    {"aten.broadcast_to.default", "Expand", write_expand},
    {"aten.expand_as.default", "Shape, Expand", write_expand_as},
    {"aten.transpose.int", "Transpose", write_transpose},
    {"aten.swapaxes.default", "Transpose", write_transpose},
    {"aten.t.default", "Transpose", write_t},
    {"aten.mT.default", "Transpose", write_t},
    {"aten.numpy_T.default", "Transpose", write_numpy_t},
    {"aten.permute.default", "Transpose", write_permute},
    {"aten.movedim.int", "Transpose", write_movedim},
    {"aten.movedim.intlist", "Transpose", write_movedim},
    {"aten.slice.Tensor", "Slice", write_slice},
    {"aten.select.int", "Gather", write_select},
    {"aten.narrow.default", "Slice", write_narrow},
    {"aten.split.Tensor", "Split", write_split},
    {"aten.split.sizes", "Split", write_split},
    {"aten.split_with_sizes.default", "Split", write_split},
    {"aten.chunk.default", "Split", write_split},
    {"aten.unbind.int", "Gather", write_unbind},
    {"aten.alias.default", "-", write_identity},
    {"aten.detach.default", "-", write_identity},
    {"aten.lift_fresh.default", "-", write_identity},
};

}  // namespace

WriteFamily write_view_ops() { return kRows; }

}  // namespace qdq::onnx
