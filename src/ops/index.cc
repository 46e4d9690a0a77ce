#include "ops/index.h"

#include <algorithm>
#include <cstdlib>

#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

// The coordinates of a mask's true elements: one int64 tensor per dimension of the mask.
std::vector<Tensor> coordinates_of(const Call& call, const Tensor& mask) {
  if (mask.is_meta()) call.fail("the size of a masked selection depends on the data");
  const Tensor flags = mask.to(DType::bool_).contiguous();
  std::vector<std::vector<std::int64_t>> found(flags.sizes().size());
  Shape at(flags.sizes().size(), 0);
  for (std::int64_t i = 0; i < flags.numel(); ++i) {
    if (flags.data<bool>()[i])
      for (std::size_t d = 0; d < at.size(); ++d) found[d].push_back(at[d]);
    for (std::size_t d = at.size(); d-- > 0;) {
      if (++at[d] < flags.sizes()[d]) break;
      at[d] = 0;
    }
  }
  std::vector<Tensor> result;
  for (const auto& column : found)
    result.push_back(Tensor::from(std::span<const std::int64_t>(column), {static_cast<std::int64_t>(column.size())}));
  return result;
}

}  // namespace

IndexPlan plan_index(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Value::List* given = call.arg("indices").list();
  if (!given) call.fail("argument 'indices' is not a list");
  IndexPlan plan;
  std::int64_t d = 0;
  for (const Value& item : *given) {
    if (item.is_none()) {
      ++d;
      continue;
    }
    const Tensor* index = item.tensor();
    if (!index) call.fail("an index is neither a tensor nor None");
    const bool is_mask = index->dtype() == DType::bool_ || index->dtype() == DType::uint8;
    const std::vector<Tensor> columns = is_mask ? coordinates_of(call, *index) : std::vector<Tensor>{*index};
    for (const Tensor& column : columns) {
      plan.dims.push_back(d++);
      plan.indices.push_back(column);
      plan.index_sizes = broadcast(call, plan.index_sizes, column.sizes());
    }
  }
  if (d > self.dim()) call.fail("more indices than dimensions");
  for (Tensor& index : plan.indices) {
    const Tensor wide =
        index.is_meta() ? Tensor::meta(DType::int64, index.sizes(), index.strides()) : index.to(DType::int64);
    index = expand(call, wide, plan.index_sizes);
  }
  const bool adjacent =
      plan.dims.empty() || plan.dims.back() - plan.dims.front() + 1 == static_cast<std::int64_t>(plan.dims.size());
  for (std::int64_t k = 0; k < self.dim(); ++k)
    if (std::find(plan.dims.begin(), plan.dims.end(), k) == plan.dims.end()) plan.result_sizes.push_back(self.size(k));
  plan.result_dim = adjacent && !plan.dims.empty() ? static_cast<std::size_t>(plan.dims.front()) : 0;
  plan.result_sizes.insert(plan.result_sizes.begin() + static_cast<std::ptrdiff_t>(plan.result_dim),
                           plan.index_sizes.begin(), plan.index_sizes.end());
  return plan;
}

namespace {

std::vector<Value> infer_index(const Call& call) {
  return {meta_value(call.tensor("self").dtype(), plan_index(call).result_sizes)};
}

std::vector<Value> infer_embedding(const Call& call) {
  const Tensor& weight = call.tensor("weight");
  if (weight.dim() != 2) call.fail("the weight must have 2 dimensions");
  Shape sizes = call.tensor("indices").sizes();
  sizes.push_back(weight.size(1));
  return {meta_value(weight.dtype(), std::move(sizes))};
}

std::vector<Value> infer_index_select(const Call& call) {
  const Tensor& self = call.tensor("self");
  Shape sizes = self.sizes();
  if (!sizes.empty()) sizes[static_cast<std::size_t>(call.dim("dim", self.dim()))] = call.tensor("index").numel();
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_gather(const Call& call) {
  const Tensor& self = call.tensor("self");
  call.dim("dim", self.dim());
  return {meta_value(self.dtype(), call.tensor("index").sizes())};
}

std::vector<Value> infer_one_hot(const Call& call) {
  Shape sizes = call.tensor("self").sizes();
  const std::int64_t classes = call.integer("num_classes");
  if (classes < 0) call.fail("without num_classes the size of the result depends on the data");
  sizes.push_back(classes);
  return {meta_value(DType::int64, std::move(sizes))};
}

// The bags' sums; the other results, which serve training, are None.
std::vector<Value> infer_embedding_bag(const Call& call) {
  const Tensor& weight = call.tensor("weight");
  const Tensor& offsets = call.tensor("offsets");
  if (weight.dim() != 2 || offsets.dim() != 1 || call.tensor("indices").dim() != 1)
    call.fail("a weight with 2 dimensions, indices and offsets with one expected");
  const std::int64_t bags = offsets.numel() - (call.boolean("include_last_offset") ? 1 : 0);
  if (bags < 0) call.fail("include_last_offset needs an offset");
  return {meta_value(weight.dtype(), {bags, weight.size(1)}), Value(), Value(), Value()};
}

// A vector becomes a matrix with it on a diagonal; of a matrix the diagonal is taken.
std::vector<Value> infer_diag(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t k = call.integer("diagonal");
  if (self.dim() == 1) return {meta_value(self.dtype(), Shape(2, self.size(0) + std::abs(k)))};
  if (self.dim() != 2) call.fail("a vector or a matrix expected, found sizes " + to_string(self.sizes()));
  const std::int64_t length =
      std::min(self.size(0) + std::min<std::int64_t>(k, 0), self.size(1) - std::max<std::int64_t>(k, 0));
  return {meta_value(self.dtype(), {std::max<std::int64_t>(length, 0)})};
}

constexpr OpRow kRows[] = {
    {"aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False,"
     " bool sparse=False) -> Tensor",
     infer_embedding,
     {.shares_qparams = true}},
    {"aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", infer_index, {.shares_qparams = true}},
    {"aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
     infer_same_as_first},
    {"aten::index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) -> "
     "Tensor(a!)",
     infer_first_itself},
    {"aten::index_select(Tensor self, int dim, Tensor index) -> Tensor", infer_index_select, {.shares_qparams = true}},
    {"aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
     infer_gather,
     {.shares_qparams = true}},
    {"aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", infer_same_as_first},
    {"aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", infer_same_as_first},
    {"aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", infer_same_as_first},
    {"aten::scatter_.src(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)", infer_first_itself},
    {"aten::scatter_.value(Tensor(a!) self, int dim, Tensor index, Scalar value) -> Tensor(a!)", infer_first_itself},
    {"aten::scatter_add_(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)", infer_first_itself},
    {"aten::scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool "
     "include_self=True) -> Tensor",
     infer_same_as_first},
    {"aten::scatter_reduce_.two(Tensor(a!) self, int dim, Tensor index, Tensor src, str reduce, *, bool "
     "include_self=True) -> Tensor(a!)",
     infer_first_itself},
    {"aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
     infer_same_as_first},
    {"aten::index_add_(Tensor(a!) self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor(a!)",
     infer_first_itself},
    {"aten::index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor", infer_same_as_first},
    {"aten::index_copy_(Tensor(a!) self, int dim, Tensor index, Tensor source) -> Tensor(a!)", infer_first_itself},
    {"aten::index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", infer_same_as_first},
    {"aten::diag(Tensor self, int diagonal=0) -> Tensor", infer_diag},
    {"aten::triu(Tensor self, SymInt diagonal=0) -> Tensor", infer_same_as_first},
    {"aten::tril(Tensor self, SymInt diagonal=0) -> Tensor", infer_same_as_first},
    {"aten::masked_select(Tensor self, Tensor mask) -> Tensor"},
    {"aten::nonzero(Tensor self) -> Tensor"},
    {"aten::one_hot(Tensor self, int num_classes=-1) -> Tensor", infer_one_hot},
    {"aten::embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool "
     "scale_grad_by_freq, int mode, bool sparse, Tensor? per_sample_weights, bool include_last_offset, "
     "int? padding_idx) -> (Tensor, Tensor, Tensor, Tensor)",
     infer_embedding_bag},
    {"aten::_embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, "
     "int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int "
     "padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)",
     infer_embedding_bag},
};

}  // namespace

OpFamily index_ops() { return kRows; }

}  // namespace qdq
