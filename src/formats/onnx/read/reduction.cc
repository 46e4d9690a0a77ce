#include <algorithm>
#include <numeric>

#include "formats/onnx/op_name.h"
#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

// The dimensions to reduce, non-negative. Without axes all of them, or none where the op says so.
Shape axes_of(const In& in, std::int64_t rank) {
  Shape axes = in.attribute_or_input("axes", 1).value_or(Shape());
  if (axes.empty() && in.integer("noop_with_empty_axes", 0) == 0) {
    axes.resize(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes) axis = in.axis(axis, rank);
  return axes;
}

bool keepdims(const In& in) { return in.integer("keepdims", 1) != 0; }

Node& reduced(const In& in, std::string_view target, Node& value) {
  const Shape axes = axes_of(in, static_cast<std::int64_t>(in.type(value).sizes.size()));
  return axes.empty() ? value : in.call(target, {value, list_of(axes), keepdims(in)});
}

template <OpName kTarget>
void read_reduce(const In& in) {
  in.result(reduced(in, kTarget.view(), in.tensor(0)));
}

// Sums of integers stay in their dtype.
void read_sum(const In& in) {
  Node& sum = reduced(in, "aten.sum.dim_IntList", in.tensor(0));
  const DType dtype = in.type(0).dtype;
  in.result(in.type(sum).dtype == dtype ? sum : in.call("aten.to.dtype", {sum, dtype}));
}

// torch's prod takes one dimension at a time; the last first, so that the others keep their numbers.
void read_prod(const In& in) {
  Shape axes = axes_of(in, in.rank(0));
  std::sort(axes.rbegin(), axes.rend());
  Node* value = &in.tensor(0);
  const DType dtype = in.type(0).dtype;
  for (const std::int64_t axis : axes)
    value = &in.call("aten.prod.dim_int", {*value, axis, keepdims(in)}, {{"dtype", dtype}});
  in.result(*value);
}

void read_sum_square(const In& in) {
  in.result(reduced(in, "aten.sum.dim_IntList", in.call("aten.mul.Tensor", {in.tensor(0), in.tensor(0)})));
}
void read_log_sum(const In& in) {
  in.result(in.call("aten.log.default", {reduced(in, "aten.sum.dim_IntList", in.tensor(0))}));
}

void read_norm(const In& in, double order) {
  const Shape axes = axes_of(in, in.rank(0));
  if (axes.empty()) return in.result(in.call("aten.abs.default", {in.tensor(0)}));
  in.result(in.call("aten.linalg_vector_norm.default", {in.tensor(0), order, list_of(axes), keepdims(in)}));
}
void read_l1(const In& in) { read_norm(in, 1); }
void read_l2(const In& in) { read_norm(in, 2); }

template <OpName kTarget>
void read_arg(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", 0), in.rank(0));
  Node& x = in.tensor(0);
  if (in.integer("select_last_index", 0) == 0) return in.result(in.call(kTarget.view(), {x, axis, keepdims(in)}));
  // The last of equal places is the first from behind.
  Node& turned = in.call("aten.flip.default", {x, list_of({axis})});
  Node& place = in.call(kTarget.view(), {turned, axis, keepdims(in)});
  Node& behind = in.call("aten.rsub.Scalar", {place, -1});
  const Argument size = in.size_of(x, axis);
  in.result(in.call(size.node() ? "aten.add.Tensor" : "aten.add.Scalar", {behind, size}));
}

void read_topk(const In& in) {
  const Argument count = in.need_size(1, "k");
  Node& both = in.call("aten.topk.default", {in.tensor(0), count, in.axis(in.integer("axis", -1), in.rank(0)),
                                             in.integer("largest", 1) != 0, in.integer("sorted", 1) != 0});
  in.result(in.item(both, 0), 0);
  if (in.wants(1)) in.result(in.item(both, 1), 1);
}

void read_cumsum(const In& in) {
  const std::int64_t axis = in.axis(in.known_integer(1, 0, "axis"), in.rank(0));
  const bool reverse = in.integer("reverse", 0) != 0;
  const Argument::List dims{axis};
  Node* value = reverse ? &in.call("aten.flip.default", {in.tensor(0), dims}) : &in.tensor(0);
  if (in.integer("exclusive", 0) != 0) {  // each sum leaves out its own element: a zero in front, the last away
    Argument::List pads(static_cast<std::size_t>(2 * (in.rank(0) - axis)), Argument(0));
    pads[pads.size() - 2] = 1;
    pads[pads.size() - 1] = -1;
    value = &in.call("aten.constant_pad_nd.default", {*value, pads, 0});
  }
  Node& sum = in.call("aten.cumsum.default", {*value, axis}, {{"dtype", in.type(0).dtype}});
  in.result(reverse ? in.call("aten.flip.default", {sum, dims}) : sum);
}

constexpr ReadRow kRows[] = {
    {"ReduceSum", "sum", read_sum},
    {"ReduceMean", "mean", read_reduce<"aten.mean.dim">},
    {"ReduceMax", "amax", read_reduce<"aten.amax.default">},
    {"ReduceMin", "amin", read_reduce<"aten.amin.default">},
    {"ReduceProd", "prod", read_prod},
    {"ReduceLogSumExp", "logsumexp", read_reduce<"aten.logsumexp.default">},
    {"ReduceSumSquare", "mul, sum", read_sum_square},
    {"ReduceLogSum", "sum, log", read_log_sum},
    {"ReduceL1", "linalg_vector_norm", read_l1},
    {"ReduceL2", "linalg_vector_norm", read_l2},
    {"ArgMax", "argmax", read_arg<"aten.argmax.default">},
    {"ArgMin", "argmin", read_arg<"aten.argmin.default">},
    {"TopK", "topk", read_topk},
    {"CumSum", "cumsum", read_cumsum},
};

}  // namespace

ReadFamily read_reduction_ops() { return kRows; }

}  // namespace qdq::onnx
