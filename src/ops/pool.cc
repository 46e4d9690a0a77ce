#include "ops/pool.h"
#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {

PoolParams pool_params(const Call& call, std::size_t spatial) {
  PoolParams params;
  params.kernel = call.ints("kernel_size", spatial);
  params.stride = call.ints("stride").empty() ? params.kernel : call.ints("stride", spatial);
  params.padding = call.ints("padding", spatial);
  params.dilation = call.schema().find_arg("dilation") ? call.ints("dilation", spatial) : Shape(spatial, 1);
  params.ceil_mode = call.boolean("ceil_mode");
  for (std::size_t d = 0; d < spatial; ++d)
    if (params.padding[d] > params.kernel[d] / 2) call.fail("padding must not exceed half the kernel size");
  return params;
}

std::size_t pooled_dims(const Call& call) {
  for (const char digit : {'1', '2', '3'})
    if (call.schema().target.find(std::string("pool") + digit + "d") != std::string::npos)
      return static_cast<std::size_t>(digit - '0');
  throw InternalError("'" + call.schema().target + "' is not a pooling op");
}

namespace {

// The input's leading dimensions (batch and channels, or channels alone).
Shape leading_sizes(const Call& call, std::size_t spatial) {
  const Tensor& self = call.tensor("self");
  if (self.sizes().size() != spatial + 1 && self.sizes().size() != spatial + 2)
    call.fail("an input of " + std::to_string(spatial + 1) + " or " + std::to_string(spatial + 2) +
              " dimensions expected, found sizes " + to_string(self.sizes()));
  return Shape(self.sizes().begin(), self.sizes().end() - static_cast<std::ptrdiff_t>(spatial));
}

Shape pooled_sizes(const Call& call) {
  const std::size_t spatial = pooled_dims(call);
  const PoolParams params = pool_params(call, spatial);
  Shape sizes = leading_sizes(call, spatial);
  const std::size_t leading = sizes.size();
  for (std::size_t d = 0; d < spatial; ++d) {
    const Window window{params.kernel[d], params.stride[d], params.padding[d], params.dilation[d]};
    sizes.push_back(window_positions(call, call.tensor("self").sizes()[leading + d], window, params.ceil_mode));
  }
  return sizes;
}

Shape adaptive_sizes(const Call& call) {
  const std::size_t spatial = pooled_dims(call);
  Shape sizes = leading_sizes(call, spatial);
  for (const std::int64_t size : call.ints("output_size", spatial)) sizes.push_back(size);
  return sizes;
}

std::vector<Value> infer_pool(const Call& call) {
  return {meta_value(call.tensor("self").dtype(), pooled_sizes(call))};
}

std::vector<Value> infer_pool_with_indices(const Call& call) {
  const Shape sizes = pooled_sizes(call);
  return {meta_value(call.tensor("self").dtype(), sizes), meta_value(DType::int64, sizes)};
}

std::vector<Value> infer_adaptive(const Call& call) {
  return {meta_value(call.tensor("self").dtype(), adaptive_sizes(call))};
}

std::vector<Value> infer_adaptive_with_indices(const Call& call) {
  const Shape sizes = adaptive_sizes(call);
  return {meta_value(call.tensor("self").dtype(), sizes), meta_value(DType::int64, sizes)};
}

constexpr OpRow kRows[] = {
    {"aten::max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], int[1] "
     "dilation=[1], bool ceil_mode=False) -> Tensor",
     infer_pool,
     {.shares_qparams = true}},
    {"aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] "
     "dilation=1, bool ceil_mode=False) -> Tensor",
     infer_pool,
     {.shares_qparams = true}},
    {"aten::max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] "
     "dilation=1, bool ceil_mode=False) -> Tensor",
     infer_pool,
     {.shares_qparams = true}},
    {"aten::max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, "
     "int[2] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     infer_pool_with_indices,
     {.shares_qparams = true}},
    {"aten::avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], bool "
     "ceil_mode=False, bool count_include_pad=True) -> Tensor",
     infer_pool,
     {.shares_qparams = true}},
    {"aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool "
     "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     infer_pool,
     {.shares_qparams = true}},
    {"aten::avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool "
     "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     infer_pool,
     {.shares_qparams = true}},
    {"aten::adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor", infer_adaptive, {.shares_qparams = true}},
    {"aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor",
     infer_adaptive,
     {.shares_qparams = true}},
    {"aten::adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor",
     infer_adaptive,
     {.shares_qparams = true}},
    {"aten::_adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor",
     infer_adaptive,
     {.shares_qparams = true}},
    {"aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)",
     infer_adaptive_with_indices,
     {.shares_qparams = true}},
};

}  // namespace

OpFamily pool_ops() { return kRows; }

}  // namespace qdq
