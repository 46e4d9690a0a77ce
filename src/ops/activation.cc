#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

std::vector<Value> infer_float(const Call& call) {
  const Tensor& self = first_tensor(call);
  return {meta_value(float_result(self.dtype()), self.sizes())};
}

std::vector<Value> infer_glu(const Call& call) {
  const Tensor& self = first_tensor(call);
  const auto d = static_cast<std::size_t>(call.dim("dim", self.dim()));
  Shape sizes = self.sizes();
  if (sizes.empty() || sizes[d] % 2 != 0) call.fail("the dimension to halve must have an even size");
  sizes[d] /= 2;
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_softmax(const Call& call) {
  const Tensor& self = first_tensor(call);
  DType dtype = self.dtype();
  if (call.schema().find_arg("dtype"))
    dtype = call.dtype("dtype", dtype);
  else if (call.boolean("half_to_float"))
    dtype = DType::float32;
  call.dim("dim", self.dim());
  return {meta_value(dtype, self.sizes())};
}

constexpr OpRow kRows[] = {
    {"aten::relu(Tensor self) -> Tensor", infer_same_as_first, {.shares_qparams = true}},
    {"aten::relu_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself, {.shares_qparams = true}},
    {"aten::relu6(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor", infer_same_as_first},
    {"aten::hardswish(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::hardsigmoid(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::silu(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::mish(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::gelu(Tensor self, *, str approximate=\"none\") -> Tensor", infer_same_as_first},
    {"aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor", infer_same_as_first},
    {"aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor", infer_same_as_first},
    {"aten::selu(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::celu(Tensor self, Scalar alpha=1.) -> Tensor", infer_same_as_first},
    {"aten::prelu(Tensor self, Tensor weight) -> Tensor", infer_same_as_first},
    {"aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor", infer_same_as_first},
    {"aten::log_sigmoid(Tensor self) -> Tensor", infer_same_as_first},
    {"aten::threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor", infer_same_as_first},
    {"aten::selu_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::celu_(Tensor(a!) self, Scalar alpha=1.) -> Tensor(a!)", infer_first_itself},
    {"aten::softshrink(Tensor self, Scalar lambd=0.5) -> Tensor", infer_same_as_first},
    {"aten::hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor", infer_same_as_first},
    {"aten::sigmoid(Tensor self) -> Tensor", infer_float},
    {"aten::tanh(Tensor self) -> Tensor", infer_float},
    {"aten::relu6_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::hardtanh_(Tensor(a!) self, Scalar min_val=-1, Scalar max_val=1) -> Tensor(a!)", infer_first_itself},
    {"aten::hardswish_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::hardsigmoid_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::silu_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::mish_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::gelu_(Tensor(a!) self, *, str approximate=\"none\") -> Tensor(a!)", infer_first_itself},
    {"aten::leaky_relu_(Tensor(a!) self, Scalar negative_slope=0.01) -> Tensor(a!)", infer_first_itself},
    {"aten::elu_(Tensor(a!) self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor(a!)",
     infer_first_itself},
    {"aten::threshold_(Tensor(a!) self, Scalar threshold, Scalar value) -> Tensor(a!)", infer_first_itself},
    {"aten::sigmoid_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::tanh_(Tensor(a!) self) -> Tensor(a!)", infer_first_itself},
    {"aten::glu(Tensor self, int dim=-1) -> Tensor", infer_glu},
    {"aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", infer_softmax},
    {"aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", infer_softmax},
    {"aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", infer_softmax},
    {"aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", infer_softmax},
};

}  // namespace

OpFamily activation_ops() { return kRows; }

}  // namespace qdq
