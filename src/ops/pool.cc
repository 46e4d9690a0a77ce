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

// Sliding windows along height and width of an image.
std::int64_t window_count(const Call& call, std::int64_t height, std::int64_t width) {
  const Shape kernel = call.ints("kernel_size", 2);
  const Shape dilation = call.ints("dilation", 2);
  const Shape padding = call.ints("padding", 2);
  const Shape stride = call.ints("stride", 2);
  return window_positions(call, height, {kernel[0], stride[0], padding[0], dilation[0]}, false) *
         window_positions(call, width, {kernel[1], stride[1], padding[1], dilation[1]}, false);
}

// [N, C, H, W] -> [N, C * kernel height * kernel width, windows]; N may be missing.
std::vector<Value> infer_im2col(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() != 3 && self.dim() != 4) call.fail("an image [N, C, H, W] or [C, H, W] expected");
  const Shape kernel = call.ints("kernel_size", 2);
  Shape sizes(self.sizes().begin(), self.sizes().end() - 2);
  const std::int64_t windows = window_count(call, self.size(-2), self.size(-1));
  sizes.back() *= kernel[0] * kernel[1];
  sizes.push_back(windows);
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_col2im(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Shape image = call.ints("output_size", 2);
  const Shape kernel = call.ints("kernel_size", 2);
  const std::int64_t windows = window_count(call, image[0], image[1]);
  const std::int64_t elements = kernel[0] * kernel[1];
  if ((self.dim() != 2 && self.dim() != 3) || self.size(-1) != windows || self.size(-2) % elements != 0)
    call.fail("columns of sizes " + to_string(self.sizes()) + ", expected [N, C * " + std::to_string(elements) + ", " +
              std::to_string(windows) + "]");
  Shape sizes(self.sizes().begin(), self.sizes().end() - 1);
  sizes.back() /= elements;
  sizes.insert(sizes.end(), image.begin(), image.end());
  return {meta_value(self.dtype(), std::move(sizes))};
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
    {"aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
     infer_im2col},
    {"aten::col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, "
     "int[2] stride) -> Tensor",
     infer_col2im},
};

}  // namespace

OpFamily pool_ops() { return kRows; }

}  // namespace qdq
