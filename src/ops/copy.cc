// Ops that move or convert values into new memory.
#include <algorithm>

#include "ops/family.h"
#include "ops/pieces.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

constexpr OpTraits kMoves{.shares_qparams = true};

std::vector<Value> infer_to(const Call& call) {
  const Tensor& self = call.tensor("self");
  DType dtype = self.dtype();
  if (call.schema().find_arg("dtype"))
    dtype = call.dtype("dtype", dtype);
  else
    dtype = call.tensor("other").dtype();
  return {meta_value(dtype, self.sizes())};
}

std::vector<Value> infer_cat(const Call& call) {
  const std::vector<Tensor> tensors = call.tensors("tensors");
  const std::vector<Value> operands(tensors.begin(), tensors.end());
  const Pieces pieces = pieces_of(call);
  if (pieces.tensors.empty()) return {meta_value(result_type(operands), {0})};
  Shape sizes = pieces.tensors[0].sizes();
  std::int64_t& extent = sizes[static_cast<std::size_t>(pieces.dim)];
  extent = 0;
  for (const Tensor& tensor : pieces.tensors) extent += tensor.size(pieces.dim);
  return {meta_value(result_type(operands), std::move(sizes))};
}

std::vector<Value> infer_stack(const Call& call) {
  const std::vector<Tensor> tensors = call.tensors("tensors");
  if (tensors.empty()) call.fail("nothing to stack");
  for (const Tensor& tensor : tensors)
    if (tensor.sizes() != tensors[0].sizes()) call.fail("tensors to stack must have equal sizes");
  Shape sizes = tensors[0].sizes();
  sizes.insert(sizes.begin() + call.dim("dim", tensors[0].dim() + 1), static_cast<std::int64_t>(tensors.size()));
  const std::vector<Value> operands(tensors.begin(), tensors.end());
  return {meta_value(result_type(operands), std::move(sizes))};
}

// repeat(repeats) and tile(dims): missing leading entries count as 1 on either side; repeat needs them all.
std::vector<Value> infer_repeat(const Call& call) {
  const Tensor& self = call.tensor("self");
  Shape counts = call.ints(call.schema().args[1].name);
  Shape sizes = self.sizes();
  if (call.schema().find_arg("repeats") && counts.size() < sizes.size()) call.fail("one repeat per dimension expected");
  if (counts.size() < sizes.size()) counts.insert(counts.begin(), sizes.size() - counts.size(), 1);
  sizes.insert(sizes.begin(), counts.size() - sizes.size(), 1);
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (counts[d] < 0) call.fail("repeats must not be negative");
    sizes[d] *= counts[d];
  }
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_repeat_interleave(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t repeats = call.integer("repeats");
  if (repeats < 0) call.fail("repeats must not be negative");
  if (!call.has("dim")) return {meta_value(self.dtype(), {self.numel() * repeats})};
  Shape sizes = self.sizes();
  if (sizes.empty()) sizes.push_back(1);
  sizes[static_cast<std::size_t>(call.dim("dim", self.dim()))] *= repeats;
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_native_dropout(const Call& call) {
  const Tensor& input = call.tensor("input");
  return {meta_value(input.dtype(), input.sizes()), meta_value(DType::bool_, input.sizes())};
}

std::vector<Value> infer_meshgrid(const Call& call) {
  const std::vector<Tensor> tensors = call.tensors("tensors");
  Shape sizes;
  for (const Tensor& tensor : tensors) sizes.push_back(tensor.numel());
  const bool columns_first = call.schema().find_arg("indexing") && call.string("indexing") == "xy";
  if (columns_first && sizes.size() > 1) std::swap(sizes[0], sizes[1]);
  Value::List list;
  for (const Tensor& tensor : tensors) list.push_back(meta_value(tensor.dtype(), sizes));
  return {Value(std::move(list))};
}

constexpr OpRow kRows[] = {
    {"aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", infer_same_as_first, kMoves},
    {"aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)", infer_same_as_first, kMoves},
    {"aten::lift_fresh_copy(Tensor self) -> Tensor", infer_same_as_first, kMoves},
    {"aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, "
     "MemoryFormat? memory_format=None) -> Tensor(a)",
     infer_to},
    {"aten::to.dtype_layout(Tensor(a) self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, bool non_blocking=False, bool copy=False, MemoryFormat? "
     "memory_format=None) -> Tensor(a)",
     infer_to},
    {"aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool "
     "copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
     infer_to},
    {"aten::to.other(Tensor(a) self, Tensor other, bool non_blocking=False, bool copy=False, MemoryFormat?"
     " memory_format=None) -> Tensor(a)",
     infer_to},
    {"aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor",
     infer_to},
    {"aten::type_as(Tensor self, Tensor other) -> Tensor", infer_to},
    {"aten::dropout(Tensor input, float p, bool train) -> Tensor",
     infer_same_as_first,
     {.is_random = true, .shares_qparams = true}},
    {"aten::feature_dropout(Tensor input, float p, bool train) -> Tensor",
     infer_same_as_first,
     {.is_random = true, .shares_qparams = true}},
    {"aten::dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)",
     infer_first_itself,
     {.is_random = true, .shares_qparams = true}},
    {"aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
     infer_native_dropout,
     {.is_random = true, .shares_qparams = true}},
    {"aten::cat(Tensor[] tensors, int dim=0) -> Tensor", infer_cat, kMoves},
    {"aten::stack(Tensor[] tensors, int dim=0) -> Tensor", infer_stack, kMoves},
    {"aten::hstack(Tensor[] tensors) -> Tensor", infer_cat, kMoves},
    {"aten::vstack(Tensor[] tensors) -> Tensor", infer_cat, kMoves},
    {"aten::dstack(Tensor[] tensors) -> Tensor", infer_cat, kMoves},
    {"aten::repeat(Tensor self, SymInt[] repeats) -> Tensor", infer_repeat, kMoves},
    {"aten::tile(Tensor self, SymInt[] dims) -> Tensor", infer_repeat, kMoves},
    {"aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? "
     "output_size=None) -> Tensor",
     infer_repeat_interleave, kMoves},
    {"aten::repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, SymInt? "
     "output_size=None) -> Tensor",
     nullptr, kMoves},
    {"aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor", infer_same_as_first, kMoves},
    {"aten::flip(Tensor self, int[] dims) -> Tensor", infer_same_as_first, kMoves},
    {"aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)", infer_first_itself},
    {"aten::copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor", infer_same_as_first},
    {"aten::fill.Scalar(Tensor self, Scalar value) -> Tensor", infer_same_as_first},
    {"aten::fill.Tensor(Tensor self, Tensor value) -> Tensor", infer_same_as_first},
    {"aten::fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)", infer_first_itself},
    {"aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)", infer_first_itself},
    {"aten::zero_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt"
     " step=1) -> Tensor",
     infer_same_as_first},
    {"aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", infer_same_as_first},
    {"aten::meshgrid(Tensor[] tensors) -> Tensor[]", infer_meshgrid, kMoves},
    {"aten::meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]", infer_meshgrid, kMoves},
    {"aten::_assert_tensor_metadata(Tensor a, SymInt[]? size=None, SymInt[]? stride=None, ScalarType? "
     "dtype=None, *, Device? device=None, Layout? layout=None) -> ()",
     infer_nothing,
     {.is_assertion = true}},
};

}  // namespace

OpFamily copy_ops() { return kRows; }

}  // namespace qdq
