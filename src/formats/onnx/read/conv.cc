#include "formats/onnx/read/conv.h"

#include "formats/onnx/read/family.h"
#include "formats/onnx/read/windows.h"
#include "formats/onnx/read/zero_point.h"

namespace qdq::onnx {
namespace {

std::string target_of(std::size_t spatial, bool transposed) {
  const std::string digit = std::to_string(spatial);
  if (!transposed) return "aten.conv" + digit + "d.default";
  return "aten.conv_transpose" + digit + "d." + (spatial == 1 ? "default" : "input");
}

std::size_t spatial_dims(const In& in) {
  const std::int64_t rank = in.rank(0);
  if (rank < 3 || rank > 5)
    in.refuse("convolutions have 1 to 3 spatial dimensions, here are " + std::to_string(rank - 2));
  return static_cast<std::size_t>(rank - 2);
}

// Kernel sizes by the weight, which always knows them.
Shape kernel_of(const In& in, std::size_t spatial, std::size_t weight_at = 1) {
  const auto& sizes = in.type(weight_at).sizes;
  if (sizes.size() != spatial + 2) in.refuse("input and weight have different numbers of dimensions");
  Shape kernel;
  for (std::size_t d = 2; d < sizes.size(); ++d) kernel.push_back(sizes[d].value);
  return kernel;
}

void read_conv(const In& in) { in.result(convolution(in, in.tensor(0), in.tensor(1), 1, in.optional(2))); }

// Integers less their zero point, as doubles, whose sums are exact. The weight may have a zero point for each channel.
Node& centred(const In& in, std::size_t i, std::size_t zero) {
  Node& wide = in.call("aten.to.dtype", {in.tensor(i), DType::float64});
  if (!in.has(zero)) return wide;
  Node* point = &in.call("aten.to.dtype", {in.tensor(zero), DType::float64});
  Argument::List channels(static_cast<std::size_t>(in.rank(i)), Argument(1));
  channels[0] = -1;
  if (i == 1 && in.rank(zero) == 1) point = &in.call("aten.reshape.default", {*point, channels});
  return less_zero_point(in, wide, *point);
}

void read_conv_integer(const In& in) {
  Node& input = centred(in, 0, 2);
  Node& sums = convolution(in, input, centred(in, 1, 3), 1, {});
  in.result(in.call("aten.to.dtype", {sums, DType::int32}));
}

// Pads of a transposed convolution cut the result. Where they differ in front and behind, what is too much behind is
// less output_padding, or cut off.
void read_conv_transpose(const In& in) {
  const std::size_t spatial = spatial_dims(in);
  const Shape kernel = kernel_of(in, spatial);
  Windows windows = windows_of(in, kernel);
  Shape output_padding = in.ints("output_padding").value_or(Shape(spatial, 0));
  if (output_padding.size() != spatial) in.refuse("its output_padding has another number of dimensions");
  for (const std::int64_t size : output_padding)
    if (size < 0 || size > Windows::kMost) in.refuse("an output_padding of " + std::to_string(size));
  if (const auto wanted = in.ints("output_shape")) {
    // The pads follow from the sizes of the result.
    if (wanted->size() != spatial && wanted->size() != spatial + 2)
      in.refuse("its output_shape has another number of dimensions");
    for (std::size_t d = 0; d < spatial; ++d) {
      const SymInt& size = in.type(0).sizes[d + 2];
      if (size.is_symbolic()) in.refuse("an output_shape for an input of symbolic sizes");
      const std::int64_t result = (*wanted)[wanted->size() - spatial + d];
      if (result < 1 || result > Windows::kMost) in.refuse("an output_shape of " + std::to_string(result));
      const std::int64_t total =
          windows.stride[d] * (size.value - 1) + output_padding[d] + (kernel[d] - 1) * windows.dilation[d] + 1 - result;
      const std::int64_t half = total / 2;
      windows.before[d] = in.text("auto_pad", "NOTSET") == "SAME_UPPER" ? half : total - half;
      windows.after[d] = total - windows.before[d];
    }
  }
  Shape padding(spatial), cut(spatial, 0);
  for (std::size_t d = 0; d < spatial; ++d) {
    padding[d] = std::min(windows.before[d], windows.after[d]);
    if (padding[d] < 0) in.refuse("negative pads");
    cut[d] = windows.after[d] - padding[d];
    const std::int64_t shared = std::min(cut[d], output_padding[d]);
    cut[d] -= shared;
    output_padding[d] -= shared;
  }
  Node* result = &in.call(target_of(spatial, true),
                          {in.tensor(0), in.tensor(1), in.optional(2), list_of(windows.stride), list_of(padding),
                           list_of(output_padding), in.integer("group", 1), list_of(windows.dilation)});
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t dim = static_cast<std::int64_t>(d) + 2;
    if (cut[d] > 0) result = &in.call("aten.slice.Tensor", {*result, dim, 0, -cut[d]});
    const std::int64_t front = windows.before[d] - padding[d];
    if (front > 0) result = &in.call("aten.slice.Tensor", {*result, dim, front, INT64_MAX});
  }
  in.result(*result);
}

constexpr ReadRow kRows[] = {
    {"Conv", "conv1d, conv2d, conv3d", read_conv},
    {"ConvInteger", "to, sub, conv1d, conv2d, conv3d, to", read_conv_integer},
    {"ConvTranspose", "conv_transpose1d, conv_transpose2d, conv_transpose3d", read_conv_transpose},
};

}  // namespace

Node& convolution(const In& in, Node& input, Node& weight, std::size_t weight_at, const Argument& bias) {
  const std::size_t spatial = spatial_dims(in);
  const Windows windows = windows_of(in, kernel_of(in, spatial, weight_at));
  Node& whole = padded(in, input, windows, 0);
  return in.call(target_of(spatial, false),
                 {whole, weight, bias, list_of(windows.stride), list_of(windows.symmetric_padding()),
                  list_of(windows.dilation), in.integer("group", 1)});
}

ReadFamily read_conv_ops() { return kRows; }

}  // namespace qdq::onnx
