#include "ops/conv.h"

#include <algorithm>
#include <limits>

#include "lower/kernel_list.h"
#include "runtime/elementwise.h"

namespace qdq::lower {
namespace {

// `tensor` with the strides of channels-last if that is the order in memory already (strides of dimensions of size 1 are
// free); else undefined.
Tensor with_channels_last_strides(const Tensor& tensor) {
  const Shape wanted = channels_last_strides(tensor.sizes());
  for (std::size_t d = 0; d < wanted.size(); ++d)
    if (tensor.sizes()[d] != 1 && tensor.strides()[d] != wanted[d]) return {};
  return tensor.as_strided(tensor.sizes(), wanted, tensor.storage_offset());
}

// oneDNN's convolutions count with 32 bits, and their results end within a stride of the last tap.
bool fits_onednn(const ConvParams& params) {
  const auto is_small = [](std::int64_t x) { return x <= std::numeric_limits<std::int32_t>::max(); };
  for (const Shape* of : {&params.stride, &params.padding, &params.padding_after, &params.dilation})
    if (!std::all_of(of->begin(), of->end(), is_small)) return false;
  for (std::size_t d = 0; params.transposed && d < params.stride.size(); ++d)
    if (params.output_padding[d] - params.padding_after[d] >= params.stride[d]) return false;
  return true;
}

std::optional<Value> lower_conv(const Call& call, Emitter& emitter) {
  Tensor input = call.tensor("input");
  const Tensor& weight = call.tensor("weight");
  const Tensor bias = call.optional_tensor("bias");
  const bool supported = is_float(input) && is_float(weight) && input.dim() == weight.dim() && weight.dim() <= 5 &&
                         input.numel() > 0 && (!bias.defined() || is_float(bias));
  if (!supported) return std::nullopt;
  const ConvParams params = conv_params(call);
  const Shape sizes = conv_output_sizes(call, params, input.sizes());
  if (numel(sizes) == 0 || !fits_onednn(params)) return std::nullopt;

  // oneDNN is fastest when both sides are channels-last; a plain input is reordered once here.
  const Tensor as_channels_last = with_channels_last_strides(input);
  if (as_channels_last.defined()) {
    input = as_channels_last;
  } else {
    const Tensor reordered = emitter.allocate_channels_last(input.sizes());
    emitter.emit(runtime::copy_step(emitter.name() + ".input", input, reordered));
    input = reordered;
  }
  runtime::onednn::Convolution c;
  c.src = input;
  c.weight = weight;
  c.bias = bias;
  c.dst = emitter.allocate_channels_last(sizes);
  c.stride = params.stride;
  c.padding_begin = params.padding;
  c.padding_end = params.padding_after;
  // What output_padding adds lies behind the last element: less padding is cut off there.
  if (params.transposed)
    for (std::size_t d = 0; d < c.padding_end.size(); ++d) c.padding_end[d] -= params.output_padding[d];
  c.dilation = params.dilation;
  c.groups = params.groups;
  c.transposed = params.transposed;
  const auto step = emitter.emit_fusible({emitter.name(), std::move(c)});
  if (!emitter.shared().aliases.needs_row_major(emitter.node())) return Value(step->dst());
  emitter.close(emitter.node());
  const Tensor plain = emitter.allocate(DType::float32, sizes);
  emitter.emit(runtime::copy_step(emitter.name() + ".contiguous", step->dst(), plain));
  return Value(plain);
}

constexpr KernelRow kRows[] = {
    {"aten.conv1d.default", lower_conv},         {"aten.conv2d.default", lower_conv},
    {"aten.conv3d.default", lower_conv},         {"aten.conv1d.padding", lower_conv},
    {"aten.conv2d.padding", lower_conv},         {"aten.conv3d.padding", lower_conv},
    {"aten.convolution.default", lower_conv},    {"aten.conv_transpose1d.default", lower_conv},
    {"aten.conv_transpose2d.input", lower_conv}, {"aten.conv_transpose3d.input", lower_conv},
};

}  // namespace

KernelFamily conv_kernels() { return kRows; }

}  // namespace qdq::lower
