#include "ops/einsum.h"

#include "reference/eval.h"

namespace qdq {
namespace {

// The sum over all loops from `loop` on of the products of what the operands point at; every pointer is back where it
// was afterwards.
template <typename T>
Accumulator<T> sum_of_products(const EinsumPlan& plan, std::size_t loop, std::vector<const T*>& at) {
  if (loop == plan.sizes.size()) {
    Accumulator<T> product = 1;
    for (const T* value : at) product *= static_cast<Accumulator<T>>(*value);
    return product;
  }
  Accumulator<T> sum = 0;
  for (std::int64_t i = 0; i < plan.sizes[loop]; ++i) {
    sum += sum_of_products(plan, loop + 1, at);
    for (std::size_t k = 0; k < at.size(); ++k) at[k] += plan.strides[k][loop];
  }
  for (std::size_t k = 0; k < at.size(); ++k) at[k] -= plan.strides[k][loop] * plan.sizes[loop];
  return sum;
}

std::vector<Value> eval_einsum(const Call& call) {
  const DType result = call.schema().infer(call).front().tensor()->dtype();
  return with_compute_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    std::vector<Tensor> tensors;
    for (const Tensor& tensor : call.tensors("tensors")) tensors.push_back(tensor.to(dtype_of<T>()));
    const EinsumPlan plan = plan_einsum(call, tensors);
    const Tensor out = Tensor::empty(dtype_of<T>(), plan.result_sizes());
    std::vector<const T*> at(tensors.size());
    for_each_index(out.sizes(), [&](const Shape& index) {
      for (std::size_t k = 0; k < tensors.size(); ++k) {
        at[k] = tensors[k].data<T>();
        for (std::size_t l = 0; l < index.size(); ++l) at[k] += index[l] * plan.strides[k][l];
      }
      out.data<T>()[offset_of(out, index)] = static_cast<T>(sum_of_products(plan, plan.result_rank, at));
    });
    return {out.to(result)};
  });
}

// bilinear(input1 [..., I], input2 [..., J], weight [O, I, J], bias [O]): sum over i and j of x1[i] * weight[o, i, j] *
// x2[j].
std::vector<Value> eval_bilinear(const Call& call) {
  const Value inferred = call.schema().infer(call).front();
  const Tensor& meta = *inferred.tensor();
  return with_float_type(meta.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor x1 = contiguous_as<T>(call.tensor("input1"));
    const Tensor x2 = contiguous_as<T>(call.tensor("input2"));
    const Tensor weight = contiguous_as<T>(call.tensor("weight"));
    const Tensor bias = call.has("bias") ? contiguous_as<T>(call.tensor("bias")) : Tensor();
    const Tensor out = Tensor::empty(dtype_of<T>(), meta.sizes());
    const std::int64_t outs = weight.size(0);
    const std::int64_t width1 = weight.size(1);
    const std::int64_t width2 = weight.size(2);
    for (std::int64_t n = 0; n < out.numel(); ++n) {
      const T* a = x1.data<T>() + n / outs * width1;
      const T* b = x2.data<T>() + n / outs * width2;
      const T* w = weight.data<T>() + n % outs * width1 * width2;
      double sum = bias.defined() ? static_cast<double>(bias.data<T>()[n % outs]) : 0;
      for (std::int64_t i = 0; i < width1; ++i)
        for (std::int64_t j = 0; j < width2; ++j)
          sum += static_cast<double>(a[i]) * static_cast<double>(w[i * width2 + j]) * static_cast<double>(b[j]);
      out.data<T>()[n] = static_cast<T>(sum);
    }
    return {out.to(meta.dtype())};
  });
}

constexpr KernelRow kRows[] = {
    {"aten.einsum.default", eval_einsum},
    {"aten.bilinear.default", eval_bilinear},
};

}  // namespace

KernelFamily einsum_kernels() { return kRows; }

}  // namespace qdq
