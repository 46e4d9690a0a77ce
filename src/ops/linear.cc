#include <algorithm>

#include "ops/einsum.h"
#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

std::vector<Value> infer_linear(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Tensor& weight = call.tensor("weight");
  if (input.dim() < 1 || weight.dim() < 1 || weight.dim() > 2 || input.size(-1) != weight.size(-1))
    call.fail("input of sizes " + to_string(input.sizes()) + " does not fit a weight of sizes " +
              to_string(weight.sizes()));
  Shape sizes = input.sizes();
  sizes.pop_back();
  if (weight.dim() == 2) sizes.push_back(weight.size(0));
  return {meta_value(input.dtype(), std::move(sizes))};
}

// torch.matmul: vectors gain a dimension for the product and lose it again, leading dimensions broadcast.
std::vector<Value> infer_matmul(const Call& call) {
  const Tensor& a = first_tensor(call);
  const Tensor& b = call.tensor(call.schema().args[1].name);
  const auto refuse = [&] {
    call.fail("sizes " + to_string(a.sizes()) + " and " + to_string(b.sizes()) + " cannot be multiplied");
  };
  if (a.dim() == 0 || b.dim() == 0) refuse();
  const std::int64_t inner = b.dim() == 1 ? b.size(0) : b.size(-2);
  if (a.size(-1) != inner) refuse();
  const auto leading = [](const Tensor& t) {
    return t.dim() > 2 ? Shape(t.sizes().begin(), t.sizes().end() - 2) : Shape();
  };
  Shape sizes = broadcast(call, leading(a), leading(b));
  if (a.dim() > 1) sizes.push_back(a.size(-2));
  if (b.dim() > 1) sizes.push_back(b.size(-1));
  return {meta_value(a.dtype(), std::move(sizes))};
}

std::vector<Value> infer_outer(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Tensor& other = call.tensor("vec2");
  if (self.dim() != 1 || other.dim() != 1)
    call.fail("two vectors expected, found sizes " + to_string(self.sizes()) + " and " + to_string(other.sizes()));
  return {meta_value(result_type({self, other}), {self.size(0), other.size(0)})};
}

// Broadcast, without the dimension along which the vectors lie.
std::vector<Value> infer_cosine_similarity(const Call& call) {
  const Tensor& a = call.tensor("x1");
  const Tensor& b = call.tensor("x2");
  const DType dtype = result_type({a, b});
  if (!is_floating_point(dtype)) call.fail("floating-point tensors expected, found " + std::string(name(dtype)));
  Shape sizes = broadcast(call, a.sizes(), b.sizes());
  const std::int64_t d = call.dim("dim", static_cast<std::int64_t>(sizes.size()));
  if (!sizes.empty()) sizes.erase(sizes.begin() + d);
  return {meta_value(dtype, std::move(sizes))};
}

std::vector<Value> infer_addmm(const Call& call) {
  const bool batched = call.schema().find_arg("batch1") != nullptr;
  const Tensor& a = call.tensor(batched ? "batch1" : "mat1");
  const Tensor& b = call.tensor(batched ? "batch2" : "mat2");
  const std::int64_t rank = batched ? 3 : 2;
  if (a.dim() != rank || b.dim() != rank || a.size(-1) != b.size(-2) || (batched && a.size(0) != b.size(0)))
    call.fail("sizes " + to_string(a.sizes()) + " and " + to_string(b.sizes()) + " cannot be multiplied");
  Shape sizes = a.sizes();
  sizes.back() = b.size(-1);
  return {meta_value(a.dtype(), std::move(sizes))};
}

std::vector<Value> infer_einsum(const Call& call) {
  const std::vector<Tensor> tensors = call.tensors("tensors");
  const EinsumPlan plan = plan_einsum(call, tensors);
  for (const Tensor& tensor : tensors)
    if (tensor.dtype() != tensors[0].dtype()) call.fail("the operands have different dtypes");
  return {meta_value(tensors[0].dtype(), plan.result_sizes())};
}

std::vector<Value> infer_bilinear(const Call& call) {
  const Tensor& a = call.tensor("input1");
  const Tensor& b = call.tensor("input2");
  const Tensor& weight = call.tensor("weight");
  Shape sizes = a.sizes();
  if (a.dim() < 1 || b.dim() != a.dim() || weight.dim() != 3 || a.size(-1) != weight.size(1) ||
      b.size(-1) != weight.size(2) || !std::equal(sizes.begin(), sizes.end() - 1, b.sizes().begin()))
    call.fail("inputs of sizes " + to_string(a.sizes()) + " and " + to_string(b.sizes()) +
              " do not fit a weight of sizes " + to_string(weight.sizes()));
  sizes.back() = weight.size(0);
  return {meta_value(a.dtype(), std::move(sizes))};
}

constexpr OpRow kRows[] = {
    {"aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", infer_linear},
    {"aten::matmul(Tensor self, Tensor other) -> Tensor", infer_matmul},
    {"aten::mm(Tensor self, Tensor mat2) -> Tensor", infer_matmul},
    {"aten::outer(Tensor self, Tensor vec2) -> Tensor", infer_outer},
    {"aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor", infer_cosine_similarity},
    {"aten::bmm(Tensor self, Tensor mat2) -> Tensor", infer_matmul},
    {"aten::mv(Tensor self, Tensor vec) -> Tensor", infer_matmul},
    {"aten::dot(Tensor self, Tensor tensor) -> Tensor", infer_matmul},
    {"aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", infer_addmm},
    {"aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
     infer_addmm},
    {"aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor", infer_einsum},
    {"aten::bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor", infer_bilinear},
};

}  // namespace

OpFamily linear_ops() { return kRows; }

}  // namespace qdq
