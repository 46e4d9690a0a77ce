#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"
#include "runtime/rows.h"

namespace qdq::lower {
namespace {

template <bool mean>
std::optional<Value> lower_sum(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  if (!is_float(input) || input.numel() == 0 || call.dtype("dtype", DType::float32) != DType::float32)
    return std::nullopt;
  const Shape sizes = call.schema().infer(call).at(0).tensor()->sizes();
  const Shape dims = reduced_dims(call, "dim", input.dim());
  const Tensor out = emitter.allocate(DType::float32, sizes);
  Shape kept_sizes = input.sizes();
  for (std::int64_t d : dims) kept_sizes[static_cast<std::size_t>(d)] = 1;
  const Tensor kept = out.as_strided(kept_sizes, contiguous_strides(kept_sizes), 0);
  const auto count = static_cast<float>(input.numel()) / static_cast<float>(numel(sizes));
  emitter.emit(
      runtime::sum_step(emitter.name(), input, runtime::broadcast_to(kept, input.sizes()), mean ? 1.0f / count : 1.0f));
  return Value(out);
}

constexpr KernelRow kRows[] = {
    {"aten.mean.dim", lower_sum<true>},
    {"aten.sum.dim_IntList", lower_sum<false>},
};

}  // namespace

KernelFamily reduction_kernels() { return kRows; }

}  // namespace qdq::lower
