// Reading and writing by index. ONNX counts negative indices from the end, as torch's indexing does.
#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

Node& wide(const In& in, std::size_t i) {
  Node& index = in.tensor(i);
  return in.type(index).dtype == DType::int64 ? index : in.call("aten.to.dtype", {index, DType::int64});
}

// self[:, ..., index] with `axis` full slices before the index.
Node& indexed(const In& in, Node& self, std::int64_t axis, Node& index) {
  Argument::List indices(static_cast<std::size_t>(axis), Argument());
  indices.emplace_back(index);
  return in.call("aten.index.Tensor", {self, indices});
}

void read_gather(const In& in) {
  Node& data = in.tensor(0);
  const std::int64_t axis = in.axis(in.integer("axis", 0), in.rank(0));
  if (const Argument::List* numbers = in.sizes(1); numbers && in.is_scalar(1))
    return in.result(in.call("aten.select.int", {data, axis, numbers->at(0)}));
  Node& index = wide(in, 1);
  // A stored matrix is a table of embeddings.
  const bool is_stored = data.kind() == NodeKind::get_attr || (data.target().find("dequantize") != std::string::npos &&
                                                               data.input(0)->kind() == NodeKind::get_attr);
  if (is_stored && axis == 0 && in.rank(0) == 2 && is_floating_point(in.type(0).dtype) && !in.constant(1))
    return in.result(in.call("aten.embedding.default", {data, index}));
  in.result(indexed(in, data, axis, index));
}

// Negative indices made positive, for torch's gather and scatter do not know them.
Node& positive(const In& in, Node& index, Node& self, std::int64_t axis) {
  if (const Tensor* known = in.constant(1)) {
    const Tensor numbers = known->to(DType::int64).contiguous();
    bool negative = false;
    for (std::int64_t i = 0; i < numbers.numel(); ++i) negative |= numbers.data<std::int64_t>()[i] < 0;
    if (!negative) return index;
  }
  const Argument size = in.size_of(self, axis);
  Node& raised = size.node() ? in.call("aten.add.Tensor", {index, size}) : in.call("aten.add.Scalar", {index, size});
  return in.call("aten.where.self", {in.call("aten.lt.Scalar", {index, 0}), raised, index});
}

void read_gather_elements(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", 0), in.rank(0));
  in.result(in.call("aten.gather.default", {in.tensor(0), axis, positive(in, wide(in, 1), in.tensor(0), axis)}));
}

// The last dimension of the indices holds one index for each of the first dimensions of the data.
Argument::List columns(const In& in, Node& indices) {
  const std::vector<SymInt>& sizes = in.type(indices).sizes;
  if (sizes.empty()) in.refuse("its indices have no dimensions");
  const SymInt count = sizes.back();
  if (count.is_symbolic()) in.refuse("the number of indexed dimensions is symbolic");
  Argument::List result;
  for (std::int64_t i = 0; i < count.value; ++i) result.emplace_back(in.call("aten.select.int", {indices, -1, i}));
  return result;
}

void read_gather_nd(const In& in) {
  if (in.integer("batch_dims", 0) != 0) in.refuse("indices for each batch (batch_dims)");
  in.result(in.call("aten.index.Tensor", {in.tensor(0), columns(in, wide(in, 1))}));
}

void read_scatter_elements(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", 0), in.rank(0));
  const std::string reduction = in.text("reduction", "none");
  Node& index = positive(in, wide(in, 1), in.tensor(0), axis);
  if (reduction == "none") return in.result(in.call("aten.scatter.src", {in.tensor(0), axis, index, in.tensor(2)}));
  const char* reduce = reduction == "add" ? "sum" : reduction == "mul" ? "prod" : reduction == "max" ? "amax" : "amin";
  in.result(in.call("aten.scatter_reduce.two", {in.tensor(0), axis, index, in.tensor(2), reduce}));
}

void read_scatter_nd(const In& in) {
  const std::string reduction = in.text("reduction", "none");
  if (reduction != "none" && reduction != "add") in.refuse("the reduction " + reduction);
  in.result(
      in.call("aten.index_put.default", {in.tensor(0), columns(in, wide(in, 1)), in.tensor(2), reduction == "add"}));
}

void read_nonzero(const In& in) {
  in.result(in.call("aten.t.default", {in.call("aten.nonzero.default", {in.tensor(0)})}));
}

// [off, on] where the index is that of the place.
void read_one_hot(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", -1), in.rank(0) + 1);
  const std::int64_t depth = in.known_integer(1, 0, "depth");
  if (depth < 1 || depth > INT32_MAX) in.refuse("a depth of " + std::to_string(depth));
  Node& index = wide(in, 0);
  Argument::List along(static_cast<std::size_t>(in.rank(0) - axis + 1), Argument(1));
  along[0] = depth;
  Node& places = in.call("aten.reshape.default", {in.call("aten.arange.default", {depth}), along});
  Node& raised = in.call("aten.remainder.Scalar", {index, depth});
  Node& hit = in.call("aten.eq.Tensor", {in.call("aten.unsqueeze.default", {raised, axis}), places});
  Node& valid = in.call("aten.logical_and.default",
                        {in.call("aten.ge.Scalar", {index, -depth}), in.call("aten.lt.Scalar", {index, depth})});
  Node& here = in.call("aten.logical_and.default", {hit, in.call("aten.unsqueeze.default", {valid, axis})});
  Node& off = in.call("aten.select.int", {in.tensor(2), 0, 0});
  Node& on = in.call("aten.select.int", {in.tensor(2), 0, 1});
  in.result(in.call("aten.where.self", {here, on, off}));
}

constexpr ReadRow kRows[] = {
    {"Gather", "embedding of a stored matrix; select, index", read_gather},
    {"GatherElements", "gather", read_gather_elements},
    {"GatherND", "index", read_gather_nd},
    {"ScatterElements", "scatter, scatter_reduce", read_scatter_elements},
    {"ScatterND", "index_put", read_scatter_nd},
    {"NonZero", "nonzero", read_nonzero},
    {"OneHot", "eq, where", read_one_hot},
};

}  // namespace

ReadFamily read_index_ops() { return kRows; }

}  // namespace qdq::onnx
