#include "ops/conv.h"

#include "reference/eval.h"

namespace qdq {
namespace {

// All convolutions run as [N, C, depth, height, width]; missing dimensions have size 1.
struct Volume {
  Tensor tensor;  // contiguous
  std::array<std::int64_t, 3> size;
};

Volume as_volume(const Tensor& tensor) {
  const Shape& sizes = tensor.sizes();
  Volume volume{tensor, {1, 1, 1}};
  const std::size_t missing = 5 - sizes.size();
  for (std::size_t d = 2; d < sizes.size(); ++d) volume.size[d - 2 + missing] = sizes[d];
  return volume;
}

std::array<std::int64_t, 3> three(const Shape& values, std::int64_t otherwise) {
  std::array<std::int64_t, 3> result;
  result.fill(otherwise);
  for (std::size_t d = 0; d < values.size(); ++d) result[d + 3 - values.size()] = values[d];
  return result;
}

std::int64_t volume_of(const std::array<std::int64_t, 3>& size) { return size[0] * size[1] * size[2]; }

// The convolution with the weight at `kernel` (its three positions) reads input position
// out * stride - padding + kernel * dilation, if it lies inside.
template <typename T>
Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvParams& params,
                Shape out_sizes) {
  const Tensor out = Tensor::empty(dtype_of<T>(), std::move(out_sizes));
  const Volume x = as_volume(input);
  const Volume w = as_volume(weight);
  const Volume y = as_volume(out);
  const auto stride = three(params.stride, 1);
  const auto padding = three(params.padding, 0);
  const auto dilation = three(params.dilation, 1);
  const std::int64_t in_channels = input.size(1);
  const std::int64_t out_channels = out.size(1);
  const std::int64_t group_in = in_channels / params.groups;
  const std::int64_t group_out = out_channels / params.groups;
  T* result = out.data<T>();
  for (std::int64_t n = 0; n < out.size(0); ++n)
    for (std::int64_t c = 0; c < out_channels; ++c)
      for (std::int64_t od = 0; od < y.size[0]; ++od)
        for (std::int64_t oh = 0; oh < y.size[1]; ++oh)
          for (std::int64_t ow = 0; ow < y.size[2]; ++ow) {
            Accumulator<T> sum = bias.defined() ? bias.data<T>()[c] : 0;
            for (std::int64_t k = 0; k < group_in; ++k) {
              const T* plane = input.data<T>() + (n * in_channels + c / group_out * group_in + k) * volume_of(x.size);
              const T* kernel = weight.data<T>() + (c * group_in + k) * volume_of(w.size);
              for (std::int64_t kd = 0; kd < w.size[0]; ++kd) {
                const std::int64_t id = od * stride[0] - padding[0] + kd * dilation[0];
                if (id < 0 || id >= x.size[0]) continue;
                for (std::int64_t kh = 0; kh < w.size[1]; ++kh) {
                  const std::int64_t ih = oh * stride[1] - padding[1] + kh * dilation[1];
                  if (ih < 0 || ih >= x.size[1]) continue;
                  for (std::int64_t kw = 0; kw < w.size[2]; ++kw) {
                    const std::int64_t iw = ow * stride[2] - padding[2] + kw * dilation[2];
                    if (iw < 0 || iw >= x.size[2]) continue;
                    sum += static_cast<Accumulator<T>>(plane[(id * x.size[1] + ih) * x.size[2] + iw]) *
                           static_cast<Accumulator<T>>(kernel[(kd * w.size[1] + kh) * w.size[2] + kw]);
                  }
                }
              }
            }
            *result++ = static_cast<T>(sum);
          }
  return out;
}

// The transposed convolution spreads each input element over the outputs in * stride - padding + kernel * dilation.
template <typename T>
Tensor convolve_transposed(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvParams& params,
                           Shape out_sizes) {
  using Sum = Accumulator<T>;
  const Tensor sums = Tensor::empty(dtype_of<Sum>(), std::move(out_sizes));
  const Volume x = as_volume(input);
  const Volume w = as_volume(weight);
  const Volume y = as_volume(sums);
  const auto stride = three(params.stride, 1);
  const auto padding = three(params.padding, 0);
  const auto dilation = three(params.dilation, 1);
  const std::int64_t in_channels = input.size(1);
  const std::int64_t out_channels = sums.size(1);
  const std::int64_t group_in = in_channels / params.groups;
  const std::int64_t group_out = out_channels / params.groups;
  for (std::int64_t n = 0; n < input.size(0); ++n)
    for (std::int64_t k = 0; k < in_channels; ++k)
      for (std::int64_t j = 0; j < group_out; ++j) {
        const std::int64_t c = k / group_in * group_out + j;
        const T* from = input.data<T>() + (n * in_channels + k) * volume_of(x.size);
        const T* kernel = weight.data<T>() + (k * group_out + j) * volume_of(w.size);
        Sum* to = sums.data<Sum>() + (n * out_channels + c) * volume_of(y.size);
        for_each_index({x.size[0], x.size[1], x.size[2], w.size[0], w.size[1], w.size[2]}, [&](const Shape& i) {
          std::int64_t target = 0;
          for (std::size_t d = 0; d < 3; ++d) {
            const std::int64_t o = i[d] * stride[d] - padding[d] + i[d + 3] * dilation[d];
            if (o < 0 || o >= y.size[d]) return;
            target = target * y.size[d] + o;
          }
          to[target] += static_cast<Sum>(from[(i[0] * x.size[1] + i[1]) * x.size[2] + i[2]]) *
                        static_cast<Sum>(kernel[(i[3] * w.size[1] + i[4]) * w.size[2] + i[5]]);
        });
      }
  Tensor out = sums;
  if (bias.defined()) {
    Shape per_channel(sums.sizes().size(), 1);
    per_channel[1] = out_channels;
    const Tensor shift = bias.to(dtype_of<Sum>()).reshape(per_channel);
    const Tensor repeated = shift.as_strided(
        sums.sizes(),
        [&] {
          Shape s(sums.sizes().size(), 0);
          s[1] = 1;
          return s;
        }(),
        shift.storage_offset());
    out = Tensor::empty(dtype_of<Sum>(), sums.sizes());
    for_each_offset<3>(out.sizes(), {&out.strides(), &sums.strides(), &repeated.strides()},
                       [&](std::int64_t o, std::int64_t a, std::int64_t b) {
                         out.data<Sum>()[o] = sums.data<Sum>()[a] + repeated.data<Sum>()[b];
                       });
  }
  return out.to(dtype_of<T>());
}

std::vector<Value> eval_conv(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Tensor& weight = call.tensor("weight");
  const Tensor bias = call.optional_tensor("bias");
  if (weight.dim() > 5) call.fail("convolutions over more than 3 dimensions are not supported");
  if (input.dtype() != weight.dtype() || (bias.defined() && bias.dtype() != input.dtype()))
    call.fail("input, weight and bias must have one dtype");
  const ConvParams params = conv_params(call);
  const bool batched = input.dim() == weight.dim();
  Shape with_batch = input.sizes();
  if (!batched) with_batch.insert(with_batch.begin(), 1);
  Shape out_sizes = conv_output_sizes(call, params, with_batch);
  if (bias.defined() && bias.numel() != out_sizes[1]) call.fail("the bias must have one number per output channel");
  return with_compute_type(input.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor x = contiguous_as<T>(input.reshape(with_batch));
    const Tensor w = contiguous_as<T>(weight);
    const Tensor b = bias.defined() ? contiguous_as<T>(bias) : bias;
    Tensor out = params.transposed ? convolve_transposed<T>(x, w, b, params, out_sizes)
                                   : convolve<T>(x, w, b, params, out_sizes);
    if (!batched) out = out.reshape(Shape(out.sizes().begin() + 1, out.sizes().end()));
    return {out.to(input.dtype())};
  });
}

constexpr KernelRow kRows[] = {
    {"aten.conv1d.default", eval_conv},           {"aten.conv2d.default", eval_conv},
    {"aten.conv3d.default", eval_conv},           {"aten.conv1d.padding", eval_conv},
    {"aten.conv2d.padding", eval_conv},           {"aten.conv3d.padding", eval_conv},
    {"aten.conv_transpose1d.default", eval_conv}, {"aten.conv_transpose2d.input", eval_conv},
    {"aten.conv_transpose3d.input", eval_conv},   {"aten.convolution.default", eval_conv},
    {"aten._convolution.default", eval_conv},
};

}  // namespace

KernelFamily conv_kernels() { return kRows; }

}  // namespace qdq
