#include "ops/pool.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "runtime/elementwise.h"
#include "runtime/onednn/onednn.h"
#include "runtime/rows.h"

namespace qdq::lower {
namespace {

using runtime::onednn::Pooling;

Tensor single(const std::vector<Value>& inferred) { return *inferred.at(0).tensor(); }

// Input and result in one order of dimensions that oneDNN is fast with: channels-last.
std::optional<Value> emit_pooling(const Call& call, Emitter& emitter, Pooling pooling) {
  const Tensor& input = call.tensor("self");
  const Shape sizes = single(call.schema().infer(call)).sizes();
  const std::size_t spatial = pooling.kernel.size();
  if (!is_float(input) || input.sizes().size() != spatial + 2 || numel(sizes) == 0) return std::nullopt;
  const Shape wanted = channels_last_strides(input.sizes());
  bool ordered = true;
  for (std::size_t d = 0; d < wanted.size(); ++d) ordered &= input.sizes()[d] == 1 || input.strides()[d] == wanted[d];
  pooling.src = input.as_strided(input.sizes(), wanted, input.storage_offset());
  if (!ordered) {
    pooling.src = emitter.allocate_channels_last(input.sizes());
    emitter.emit(runtime::copy_step(emitter.name() + ".input", input, pooling.src));
  }
  pooling.dst = emitter.allocate_channels_last(sizes);
  for (std::size_t d = 0; d < spatial; ++d) {  // what the windows reach beyond the padded input in ceil mode
    const std::int64_t reach =
        (sizes[d + 2] - 1) * pooling.stride[d] + pooling.dilation[d] * (pooling.kernel[d] - 1) + 1;
    pooling.padding_end.push_back(std::max<std::int64_t>(0, reach - input.sizes()[d + 2] - pooling.padding_begin[d]));
  }
  emitter.emit(runtime::onednn::pooling_step(emitter.name(), pooling, emitter.context()));
  if (!emitter.shared().aliases.needs_row_major(emitter.node())) return Value(pooling.dst);
  return Value(emitter.contiguous(pooling.dst));
}

std::optional<Value> lower_max_pool(const Call& call, Emitter& emitter) {
  const PoolParams params = pool_params(call, pooled_dims(call));
  return emit_pooling(call, emitter,
                      {Pooling::Kind::max, {}, {}, params.kernel, params.stride, params.padding, {}, params.dilation});
}

std::optional<Value> lower_avg_pool(const Call& call, Emitter& emitter) {
  const PoolParams params = pool_params(call, pooled_dims(call));
  const bool has_divisor = call.schema().find_arg("divisor_override") && call.has("divisor_override");
  if (has_divisor || params.ceil_mode) return std::nullopt;  // windows with divisors of their own
  const auto kind = call.boolean("count_include_pad") ? Pooling::Kind::average_include_padding
                                                      : Pooling::Kind::average_exclude_padding;
  return emit_pooling(call, emitter, {kind, {}, {}, params.kernel, params.stride, params.padding, {}, params.dilation});
}

// Windows of equal size side by side are an average pool; one window is a mean.
std::optional<Value> lower_adaptive_avg_pool(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  const std::size_t spatial = pooled_dims(call);
  if (!is_float(input) || input.sizes().size() != spatial + 2 || input.numel() == 0) return std::nullopt;
  const Shape sizes = single(call.schema().infer(call)).sizes();
  Shape kernel;
  bool all_ones = true;
  for (std::size_t d = 2; d < sizes.size(); ++d) {
    if (sizes[d] == 0 || input.sizes()[d] % sizes[d] != 0) return std::nullopt;
    kernel.push_back(input.sizes()[d] / sizes[d]);
    all_ones &= sizes[d] == 1;
  }
  if (!all_ones) {
    const Shape zeros(spatial, 0);
    return emit_pooling(call, emitter,
                        {Pooling::Kind::average_include_padding, {}, {}, kernel, kernel, zeros, {}, Shape(spatial, 1)});
  }
  const Tensor out = emitter.allocate(DType::float32, sizes);
  emitter.emit(runtime::sum_step(emitter.name(), input, runtime::broadcast_to(out, input.sizes()),
                                 1.0f / static_cast<float>(numel(kernel))));
  return Value(out);
}

constexpr KernelRow kRows[] = {
    {"aten.max_pool1d.default", lower_max_pool},
    {"aten.max_pool2d.default", lower_max_pool},
    {"aten.max_pool3d.default", lower_max_pool},
    {"aten.avg_pool1d.default", lower_avg_pool},
    {"aten.avg_pool2d.default", lower_avg_pool},
    {"aten.avg_pool3d.default", lower_avg_pool},
    {"aten.adaptive_avg_pool1d.default", lower_adaptive_avg_pool},
    {"aten.adaptive_avg_pool2d.default", lower_adaptive_avg_pool},
    {"aten.adaptive_avg_pool3d.default", lower_adaptive_avg_pool},
    {"aten._adaptive_avg_pool2d.default", lower_adaptive_avg_pool},
};

}  // namespace

KernelFamily pool_kernels() { return kRows; }

}  // namespace qdq::lower
