// Reading and writing by index.
#include <algorithm>
#include <numeric>

#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

Name index_of(const Op& op, std::string_view name) { return op.in_as(name, DType::int64); }

Names write_embedding(const Op& op) {
  return {op.emit("Gather", {op.in("weight"), op.in("indices")}, {{"axis", std::int64_t{0}}})};
}

std::int64_t dim_of(const Op& op) { return op.call.dim("dim", op.rank("self")); }

Names write_index_select(const Op& op) {
  return {op.emit("Gather", {op.in("self"), op.in("index")}, {{"axis", dim_of(op)}})};
}
Names write_gather(const Op& op) {
  return {op.emit("GatherElements", {op.in("self"), op.in("index")}, {{"axis", dim_of(op)}})};
}

// The index tensors of index and index_put, which must be integers, and the dimensions that they index.
struct Indices {
  std::vector<std::int64_t> dims;
  Names tensors;
  std::int64_t rank = 0;  // of their broadcast
};
Indices indices_of(const Op& op) {
  Indices found;
  const Argument::List& list = *op.argument("indices").list();
  for (std::size_t d = 0; d < list.size(); ++d) {
    const Node* producer = list[d].node();
    if (!producer) continue;
    const TensorMeta* type = producer->type.tensor();
    if (!type) op.refuse("an index of unknown type");
    if (type->dtype == DType::bool_) op.refuse("indexing with a mask: the size of the result depends on the data");
    found.dims.push_back(static_cast<std::int64_t>(d));
    found.tensors.push_back(op.value(list[d], DType::int64));
    found.rank = std::max(found.rank, static_cast<std::int64_t>(type->sizes.size()));
  }
  if (found.dims.empty()) op.refuse("no index is given");
  return found;
}

// int64[broadcast..., n]: the indices side by side, as GatherND and ScatterND take them.
Name side_by_side(const Op& op, const Indices& indices) {
  Name all = indices.tensors[0];
  for (std::size_t i = 1; i < indices.tensors.size(); ++i) all = op.emit("Add", {all, indices.tensors[i]});
  const Name sizes = op.emit("Shape", {all});  // of the broadcast
  Names parts;
  for (const Name& each : indices.tensors)
    parts.push_back(
        op.unsqueeze(indices.tensors.size() == 1 ? each : op.emit("Expand", {each, sizes}), {indices.rank}));
  return parts.size() == 1 ? parts[0] : op.emit("Concat", parts, {{"axis", std::int64_t{-1}}});
}

// The indexed dimensions first.
Shape indexed_first(const Op& op, const Indices& indices) {
  Shape order = indices.dims;
  for (std::int64_t d = 0; d < op.rank("self"); ++d)
    if (std::find(order.begin(), order.end(), d) == order.end()) order.push_back(d);
  return order;
}

Names write_index(const Op& op) {
  const Indices indices = indices_of(op);
  if (indices.dims.size() == 1)
    return {op.emit("Gather", {op.in("self"), indices.tensors[0]}, {{"axis", indices.dims[0]}})};
  const Name source = op.transpose(op.in("self"), indexed_first(op, indices));
  const Name result = op.emit("GatherND", {source, side_by_side(op, indices)});
  const bool adjacent =
      indices.dims.back() - indices.dims.front() + 1 == static_cast<std::int64_t>(indices.dims.size());
  const std::int64_t before = adjacent ? indices.dims.front() : 0;
  if (before == 0) return {result};
  // [indices..., before..., after...] -> [before..., indices..., after...]
  const auto rank = static_cast<std::int64_t>(op.result().sizes.size());
  Shape order;
  for (std::int64_t d = 0; d < before; ++d) order.push_back(indices.rank + d);
  for (std::int64_t d = 0; d < indices.rank; ++d) order.push_back(d);
  for (std::int64_t d = indices.rank + before; d < rank; ++d) order.push_back(d);
  return {op.transpose(result, order)};
}

Names write_index_put(const Op& op) {
  const Indices indices = indices_of(op);
  for (std::size_t i = 0; i < indices.dims.size(); ++i)
    if (indices.dims[i] != static_cast<std::int64_t>(i)) op.refuse("indices of other dimensions than the first");
  const bool accumulate = op.call.boolean("accumulate");
  if (accumulate) op.need_opset(16, "ScatterND with addition");
  const Name places = side_by_side(op, indices);
  // The values broadcast over what they replace.
  const Name values =
      op.emit("Expand", {op.in("values"), op.emit("Shape", {op.emit("GatherND", {op.in("self"), places})})});
  NodeAttributes attributes;
  if (accumulate) attributes.emplace_back("reduction", std::string("add"));
  return {op.emit("ScatterND", {op.in("self"), places, values}, attributes)};
}

Names scattered(const Op& op, const Name& updates, std::string_view reduction) {
  NodeAttributes attributes{{"axis", dim_of(op)}};
  if (!reduction.empty()) attributes.emplace_back("reduction", std::string(reduction));
  return {op.emit("ScatterElements", {op.in("self"), op.in("index"), updates}, attributes)};
}

// The part of src that the index covers.
Name source_of(const Op& op) {
  if (op.sizes("src") == op.sizes("index")) return op.in("src");
  Shape dims(static_cast<std::size_t>(op.rank("self"))), zeros(dims.size(), 0);
  std::iota(dims.begin(), dims.end(), 0);
  return op.emit("Slice", {op.in("src"), op.ints(zeros), op.emit("Shape", {op.in("index")}), op.ints(dims)});
}

Names write_scatter(const Op& op) { return scattered(op, source_of(op), ""); }
Names write_scatter_value(const Op& op) {
  const Name value = op.in_as("value", op.dtype("self"));
  return scattered(op, op.emit("Expand", {value, op.emit("Shape", {op.in("index")})}), "");
}
Names write_scatter_add(const Op& op) {
  op.need_opset(16, "ScatterElements with addition");
  return scattered(op, source_of(op), "add");
}
Names write_scatter_reduce(const Op& op) {
  if (!op.call.boolean("include_self")) op.refuse("scatter_reduce without the values of self");
  const std::string& reduce = op.call.string("reduce");
  if (reduce == "mean") op.refuse("scatter_reduce to the mean");
  const bool is_old = reduce == "sum" || reduce == "prod";
  op.need_opset(is_old ? 16 : 18, "ScatterElements with this reduction");
  return scattered(op, source_of(op),
                   reduce == "sum"    ? "add"
                   : reduce == "prod" ? "mul"
                   : reduce == "amax" ? "max"
                                      : "min");
}

Names write_triangle(const Op& op, bool upper) {
  op.need_opset(14, "Trilu");
  const Name diagonal = op.squeeze(op.size(op.argument("diagonal")), {0});
  return {op.emit("Trilu", {op.in("self"), diagonal}, {{"upper", std::int64_t{upper}}})};
}
Names write_triu(const Op& op) { return write_triangle(op, true); }
Names write_tril(const Op& op) { return write_triangle(op, false); }

Names write_nonzero(const Op& op) {
  if (op.rank("self") == 0) op.refuse("the places in a tensor of no dimensions");
  return {op.transpose(op.emit("NonZero", {op.in("self")}), {1, 0})};
}

Names write_masked_select(const Op& op) {
  if (op.sizes("self") != op.sizes("mask")) op.refuse("a mask of other sizes");
  return {op.emit("Compress", {op.reshape(op.in("self"), {-1}), op.reshape(op.in("mask"), {-1})},
                  {{"axis", std::int64_t{0}}})};
}

Names write_one_hot(const Op& op) {
  const std::int64_t classes = op.call.integer("num_classes");
  if (classes < 1) op.refuse("the number of classes depends on the data");
  const Name off_on = op.ints({0, 1});
  return {op.emit("OneHot", {index_of(op, "self"), op.ints({classes}), off_on})};
}

constexpr WriteRow kRows[] = {
    {"aten.embedding.default", "Gather", write_embedding},
    {"aten.index.Tensor", "Gather, GatherND", write_index},
    {"aten.index_put.default", "ScatterND", write_index_put},
    {"aten.index_select.default", "Gather", write_index_select},
    {"aten.gather.default", "GatherElements", write_gather},
    {"aten.scatter.src", "ScatterElements", write_scatter},
    {"aten.scatter.value", "Expand, ScatterElements", write_scatter_value},
    {"aten.scatter_add.default", "ScatterElements", write_scatter_add},
    {"aten.scatter_reduce.two", "ScatterElements", write_scatter_reduce},
    {"aten.triu.default", "Trilu", write_triu},
    {"aten.tril.default", "Trilu", write_tril},
    {"aten.nonzero.default", "NonZero, Transpose", write_nonzero},
    {"aten.masked_select.default", "Reshape, Compress", write_masked_select},
    {"aten.one_hot.default", "OneHot", write_one_hot},
};

}  // namespace

WriteFamily write_index_ops() { return kRows; }

}  // namespace qdq::onnx
