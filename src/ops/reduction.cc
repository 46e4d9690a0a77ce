#include <algorithm>

#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

// Sizes of the first argument without the dimensions named by argument "dim"; ops without one reduce to a number.
Shape reduced_sizes(const Call& call) {
  const Tensor& self = first_tensor(call);
  const bool has_dim = call.schema().find_arg("dim") != nullptr;
  const bool keepdim = call.schema().find_arg("keepdim") && call.boolean("keepdim");
  if (!has_dim) return {};
  const Shape dims = reduced_dims(call, "dim", self.dim());
  Shape sizes;
  for (std::int64_t d = 0; d < self.dim(); ++d) {
    const bool reduced = std::find(dims.begin(), dims.end(), d) != dims.end();
    if (!reduced)
      sizes.push_back(self.size(d));
    else if (keepdim)
      sizes.push_back(1);
  }
  return sizes;
}

std::vector<Value> infer_sum(const Call& call) {
  const DType self = first_tensor(call).dtype();
  const DType natural = is_floating_point(self) || is_complex(self) ? self : DType::int64;
  return {meta_value(call.dtype("dtype", natural), reduced_sizes(call))};
}

std::vector<Value> infer_mean(const Call& call) {
  const DType dtype =
      call.schema().find_arg("dtype") ? call.dtype("dtype", first_tensor(call).dtype()) : first_tensor(call).dtype();
  if (!is_floating_point(dtype)) call.fail("a mean needs a floating point tensor, found " + std::string(name(dtype)));
  return {meta_value(dtype, reduced_sizes(call))};
}

std::vector<Value> infer_extreme(const Call& call) {
  return {meta_value(first_tensor(call).dtype(), reduced_sizes(call))};
}

std::vector<Value> infer_extreme_and_index(const Call& call) {
  const Shape sizes = reduced_sizes(call);
  return {meta_value(first_tensor(call).dtype(), sizes), meta_value(DType::int64, sizes)};
}

std::vector<Value> infer_aminmax(const Call& call) {
  const Value one = infer_extreme(call).front();
  return {one, one};
}

std::vector<Value> infer_index(const Call& call) { return {meta_value(DType::int64, reduced_sizes(call))}; }

std::vector<Value> infer_truth(const Call& call) {
  const DType self = first_tensor(call).dtype();
  return {meta_value(self == DType::uint8 ? DType::uint8 : DType::bool_, reduced_sizes(call))};
}

std::vector<Value> infer_two_means(const Call& call) {
  const Value one = infer_mean(call).front();
  return {one, one};
}

std::vector<Value> infer_cumsum(const Call& call) {
  const Tensor& self = first_tensor(call);
  call.dim("dim", self.dim());
  const DType natural = is_floating_point(self.dtype()) ? self.dtype() : DType::int64;
  return {meta_value(call.dtype("dtype", natural), self.sizes())};
}

std::vector<Value> infer_diff(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) call.fail("a tensor with dimensions expected");
  if (call.integer("n") < 0) call.fail("n must not be negative, found " + std::to_string(call.integer("n")));
  const std::int64_t d = call.dim("dim", self.dim());
  Shape sizes = self.sizes();
  std::int64_t& size = sizes[static_cast<std::size_t>(d)];
  std::vector<Value> operands = {self};
  for (const char* end : {"prepend", "append"})
    if (const Tensor more = call.optional_tensor(end); more.defined()) {
      Shape expected = self.sizes();
      if (more.dim() == self.dim()) expected[static_cast<std::size_t>(d)] = more.size(d);
      if (more.sizes() != expected)
        call.fail(std::string(end) + " of sizes " + to_string(more.sizes()) + " does not fit " +
                  to_string(self.sizes()));
      size += more.size(d);
      operands.emplace_back(more);
    }
  size = std::max<std::int64_t>(0, size - call.integer("n"));
  return {meta_value(result_type(operands), std::move(sizes))};
}

std::vector<Value> infer_topk(const Call& call) {
  const Tensor& self = first_tensor(call);
  Shape sizes = self.sizes();
  if (!sizes.empty()) {
    std::int64_t& size = sizes[static_cast<std::size_t>(call.dim("dim", self.dim()))];
    const std::int64_t k = call.integer("k");
    if (k < 0 || k > size) call.fail("k is " + std::to_string(k) + " for a dimension of size " + std::to_string(size));
    size = k;
  }
  return {meta_value(self.dtype(), sizes), meta_value(DType::int64, sizes)};
}

std::vector<Value> infer_sort(const Call& call) {
  const Tensor& self = first_tensor(call);
  return {meta_value(self.dtype(), self.sizes()), meta_value(DType::int64, self.sizes())};
}

std::vector<Value> infer_argsort(const Call& call) { return {meta_value(DType::int64, first_tensor(call).sizes())}; }

constexpr OpRow kRows[] = {
    {"aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", infer_sum},
    {"aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> "
     "Tensor",
     infer_sum},
    {"aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", infer_sum},
    {"aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", infer_sum},
    {"aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", infer_mean},
    {"aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", infer_mean},
    {"aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, "
     "ScalarType? dtype=None) -> Tensor",
     infer_mean},
    {"aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor", infer_mean},
    {"aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", infer_mean},
    {"aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) "
     "-> Tensor",
     infer_mean},
    {"aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", infer_mean},
    {"aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) "
     "-> Tensor",
     infer_mean},
    {"aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", infer_mean},
    {"aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     infer_two_means},
    {"aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", infer_extreme, {.shares_qparams = true}},
    {"aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", infer_extreme, {.shares_qparams = true}},
    {"aten::max(Tensor self) -> Tensor", infer_extreme, {.shares_qparams = true}},
    {"aten::min(Tensor self) -> Tensor", infer_extreme, {.shares_qparams = true}},
    {"aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     infer_extreme_and_index},
    {"aten::min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     infer_extreme_and_index},
    {"aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", infer_index},
    {"aten::argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", infer_index},
    {"aten::any(Tensor self) -> Tensor", infer_truth},
    {"aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", infer_truth},
    {"aten::all(Tensor self) -> Tensor", infer_truth},
    {"aten::all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", infer_truth},
    {"aten::var(Tensor self, bool unbiased=True) -> Tensor", infer_mean},
    {"aten::std(Tensor self, bool unbiased=True) -> Tensor", infer_mean},
    {"aten::var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
     infer_two_means},
    {"aten::std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
     infer_two_means},
    {"aten::std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     infer_two_means},
    {"aten::any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", infer_truth},
    {"aten::all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", infer_truth},
    {"aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)", infer_aminmax},
    {"aten::cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", infer_cumsum},
    {"aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, "
     "Tensor indices)",
     infer_sort},
    {"aten::diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor", infer_diff},
    {"aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", infer_cumsum},
    {"aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor "
     "values, Tensor indices)",
     infer_topk},
    {"aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)", infer_sort},
    {"aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor", infer_argsort},
};

}  // namespace

OpFamily reduction_ops() { return kRows; }

}  // namespace qdq
