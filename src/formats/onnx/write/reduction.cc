#include <cmath>
#include <numeric>

#include "formats/onnx/write/family.h"
#include "ops/shapes.h"

namespace qdq::onnx {
namespace {

Shape dims_of(const Op& op) {
  const std::int64_t rank = op.rank("self");
  if (op.call.schema().find_arg("dim")) return reduced_dims(op.call, "dim", rank);
  Shape all(static_cast<std::size_t>(rank));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

bool keepdim(const Op& op) { return op.call.schema().find_arg("keepdim") && op.call.boolean("keepdim"); }

// A tensor of no dimensions has nothing to reduce; ONNX takes "no axes" for all of them.
Name reduced(const Op& op, std::string_view name, const Name& value) {
  return op.reduce(name, value, dims_of(op), keepdim(op));
}

template <OpName kOp>
Names write_reduce(const Op& op) {
  return {reduced(op, kOp.view(), op.in_as("self", op.result().dtype))};
}

// max and min along one dimension, with their places.
Names write_extreme(const Op& op, std::string_view reduce, std::string_view arg) {
  const Name self = op.in("self");
  if (!op.call.schema().find_arg("dim")) return {reduced(op, reduce, self)};
  const NodeAttributes attributes{{"axis", op.call.dim("dim", op.rank("self"))},
                                  {"keepdims", std::int64_t{keepdim(op)}}};
  return {reduced(op, reduce, self), op.emit(arg, {self}, attributes)};
}
Names write_max(const Op& op) { return write_extreme(op, "ReduceMax", "ArgMax"); }
Names write_min(const Op& op) { return write_extreme(op, "ReduceMin", "ArgMin"); }

Names write_arg(const Op& op, std::string_view name) {
  const Name self = op.in("self");
  if (op.has("dim"))
    return {op.emit(name, {self},
                    {{"axis", op.call.dim("dim", op.rank("self"))}, {"keepdims", std::int64_t{keepdim(op)}}})};
  const Name flat = op.reshape(self, {-1});
  const Name place = op.emit(name, {flat}, {{"axis", std::int64_t{0}}, {"keepdims", std::int64_t{0}}});
  return {keepdim(op) ? op.reshape(place, Shape(static_cast<std::size_t>(op.rank("self")), 1)) : place};
}
Names write_argmax(const Op& op) { return write_arg(op, "ArgMax"); }
Names write_argmin(const Op& op) { return write_arg(op, "ArgMin"); }

Names write_any(const Op& op) {
  const Name ones = op.cast(op.in_as("self", DType::bool_), DType::int32);
  return {op.cast(reduced(op, "ReduceMax", ones), DType::bool_)};
}
Names write_all(const Op& op) {
  const Name ones = op.cast(op.in_as("self", DType::bool_), DType::int32);
  return {op.cast(reduced(op, "ReduceMin", ones), DType::bool_)};
}

double correction(const Op& op) {
  if (op.call.schema().find_arg("correction")) return op.has("correction") ? op.call.number("correction") : 1;
  return op.call.boolean("unbiased") ? 1 : 0;
}

// sum((x - mean)^2) / (n - correction)
Name variance(const Op& op) {
  const DType dtype = op.dtype("self");
  const Shape dims = dims_of(op);
  const Name self = op.in("self");
  const Name difference = op.emit("Sub", {self, op.reduce("ReduceMean", self, dims, true)});
  const Name square = op.emit("Mul", {difference, difference});
  const double less = correction(op);
  if (less == 0) return op.reduce("ReduceMean", square, dims, keepdim(op));
  const Name sizes = op.emit("Gather", {op.emit("Shape", {self}), op.ints(dims)}, {{"axis", std::int64_t{0}}});
  const Name count = op.cast(op.reduce("ReduceProd", sizes, {0}, false), dtype);
  const Name sum = op.reduce("ReduceSum", square, dims, keepdim(op));
  return op.emit("Div", {sum, op.emit("Max", {op.emit("Sub", {count, op.number(less, dtype)}), op.number(0, dtype)})});
}

Names write_var(const Op& op) { return {variance(op)}; }
Names write_std(const Op& op) { return {op.emit("Sqrt", {variance(op)})}; }
Names write_var_mean(const Op& op) { return {variance(op), reduced(op, "ReduceMean", op.in("self"))}; }
Names write_std_mean(const Op& op) {
  return {op.emit("Sqrt", {variance(op)}), reduced(op, "ReduceMean", op.in("self"))};
}

Names write_norm(const Op& op) {
  const bool is_linalg = op.call.schema().find_arg("ord") != nullptr;
  const double order = is_linalg ? op.call.number("ord") : op.has("p") ? op.call.number("p") : 2;
  const Name self = op.in_as("self", op.result().dtype);
  if (order == 2) return {reduced(op, "ReduceL2", self)};
  if (order == 1) return {reduced(op, "ReduceL1", self)};
  if (order == INFINITY) return {reduced(op, "ReduceMax", op.emit("Abs", {self}))};
  if (order == -INFINITY) return {reduced(op, "ReduceMin", op.emit("Abs", {self}))};
  op.refuse("a norm of order " + std::to_string(order) + "; 1, 2 and infinity are written");
}

Names write_aminmax(const Op& op) {
  if (!op.has("dim")) {
    const Name flat = op.reshape(op.in("self"), {-1});
    return {op.reduce("ReduceMin", flat, {0}, false), op.reduce("ReduceMax", flat, {0}, false)};
  }
  return {reduced(op, "ReduceMin", op.in("self")), reduced(op, "ReduceMax", op.in("self"))};
}

Names write_cumsum(const Op& op) {
  const Name self = op.in_as("self", op.result().dtype);
  const std::int64_t rank = op.rank("self");
  if (rank == 0) return {self};
  return {op.emit("CumSum", {self, op.number(static_cast<double>(op.call.dim("dim", rank)), DType::int64)})};
}

Names top(const Op& op, const Name& count, bool largest) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  return op.emit_many("TopK", {op.in("self"), count}, 2,
                      {{"axis", dim}, {"largest", std::int64_t{largest}}, {"sorted", std::int64_t{1}}});
}

Names write_topk(const Op& op) { return top(op, op.size(op.argument("k")), op.call.boolean("largest")); }

// All of them, in order. TopK puts the lower index first among equals, as a stable sort does.
Names write_sort(const Op& op) {
  if (op.rank("self") == 0) op.refuse("sorting a tensor of no dimensions");
  const Name sizes = op.emit("Shape", {op.in("self")});
  const Name count =
      op.emit("Gather", {sizes, op.ints({op.call.dim("dim", op.rank("self"))})}, {{"axis", std::int64_t{0}}});
  return top(op, count, op.call.boolean("descending"));
}
Names write_argsort(const Op& op) { return {write_sort(op)[1]}; }

// x[1:] - x[:-1], n times
Names write_diff(const Op& op) {
  const std::int64_t dim = op.call.dim("dim", op.rank("self"));
  Names parts;
  for (const char* name : {"prepend", "self", "append"})
    if (op.has(name)) parts.push_back(op.in_as(name, op.result().dtype));
  Name value = parts.size() == 1 ? parts[0] : op.emit("Concat", parts, {{"axis", dim}});
  const bool is_bool = op.result().dtype == DType::bool_;
  for (std::int64_t i = 0; i < op.call.integer("n"); ++i) {
    const Name later = op.emit("Slice", {value, op.ints({1}), op.ints({INT64_MAX}), op.ints({dim})});
    const Name earlier = op.emit("Slice", {value, op.ints({0}), op.ints({-1}), op.ints({dim})});
    value = op.emit(is_bool ? "Xor" : "Sub", {later, earlier});
  }
  return {value};
}

constexpr WriteRow kRows[] = {
    {"aten.sum.default", "ReduceSum", write_reduce<"ReduceSum">},
    {"aten.sum.dim_IntList", "ReduceSum", write_reduce<"ReduceSum">},
    {"aten.prod.default", "ReduceProd", write_reduce<"ReduceProd">},
    {"aten.prod.dim_int", "ReduceProd", write_reduce<"ReduceProd">},
    {"aten.mean.default", "ReduceMean", write_reduce<"ReduceMean">},
    {"aten.mean.dim", "ReduceMean", write_reduce<"ReduceMean">},
    {"aten.logsumexp.default", "ReduceLogSumExp", write_reduce<"ReduceLogSumExp">},
    {"aten.amax.default", "ReduceMax", write_reduce<"ReduceMax">},
    {"aten.amin.default", "ReduceMin", write_reduce<"ReduceMin">},
    {"aten.linalg_vector_norm.default", "ReduceL1, ReduceL2, ReduceMax, ReduceMin", write_norm},
    {"aten.norm.ScalarOpt_dim", "ReduceL1, ReduceL2, ReduceMax, ReduceMin", write_norm},
    {"aten.var.default", "ReduceMean, Sub, Mul, ReduceSum, Div", write_var},
    {"aten.var.dim", "ReduceMean, Sub, Mul, ReduceSum, Div", write_var},
    {"aten.var.correction", "ReduceMean, Sub, Mul, ReduceSum, Div", write_var},
    {"aten.std.default", "ReduceMean, Sub, Mul, ReduceSum, Div, Sqrt", write_std},
    {"aten.std.dim", "ReduceMean, Sub, Mul, ReduceSum, Div, Sqrt", write_std},
    {"aten.std.correction", "ReduceMean, Sub, Mul, ReduceSum, Div, Sqrt", write_std},
    {"aten.var_mean.dim", "ReduceMean, Sub, Mul, ReduceSum, Div", write_var_mean},
    {"aten.var_mean.correction", "ReduceMean, Sub, Mul, ReduceSum, Div", write_var_mean},
    {"aten.std_mean.dim", "ReduceMean, Sub, Mul, ReduceSum, Div, Sqrt", write_std_mean},
    {"aten.std_mean.correction", "ReduceMean, Sub, Mul, ReduceSum, Div, Sqrt", write_std_mean},
    {"aten.max.default", "ReduceMax", write_max},
    {"aten.min.default", "ReduceMin", write_min},
    {"aten.max.dim", "ReduceMax, ArgMax", write_max},
    {"aten.min.dim", "ReduceMin, ArgMin", write_min},
    {"aten.argmax.default", "ArgMax", write_argmax},
    {"aten.argmin.default", "ArgMin", write_argmin},
    {"aten.any.default", "ReduceMax", write_any},
    {"aten.any.dim", "ReduceMax", write_any},
    {"aten.any.dims", "ReduceMax", write_any},
    {"aten.all.default", "ReduceMin", write_all},
    {"aten.all.dim", "ReduceMin", write_all},
    {"aten.all.dims", "ReduceMin", write_all},
    {"aten.aminmax.default", "ReduceMin, ReduceMax", write_aminmax},
    {"aten.cumsum.default", "CumSum", write_cumsum},
    {"aten.topk.default", "TopK", write_topk},
    {"aten.sort.default", "TopK", write_sort},
    {"aten.sort.stable", "TopK", write_sort},
    {"aten.argsort.default", "TopK", write_argsort},
    {"aten.diff.default", "Slice, Sub", write_diff},
};

}  // namespace

WriteFamily write_reduction_ops() { return kRows; }

}  // namespace qdq::onnx
