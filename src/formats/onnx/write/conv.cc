#include "ops/conv.h"

#include "formats/onnx/write/bias.h"
#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

// ONNX's input has a batch, torch's may come without.
Names write_conv(const Op& op) {
  const ConvParams params = conv_params(op.call);
  const Tensor& weight = op.call.tensor("weight");
  const bool has_batch = op.rank("input") == weight.dim();
  Shape pads = params.padding;
  pads.insert(pads.end(), params.padding_after.begin(), params.padding_after.end());
  NodeAttributes attributes{{"kernel_shape", Shape(weight.sizes().begin() + 2, weight.sizes().end())},
                            {"strides", params.stride},
                            {"pads", pads},
                            {"dilations", params.dilation},
                            {"group", params.groups}};
  if (params.transposed) attributes.emplace_back("output_padding", params.output_padding);
  const Name input = has_batch ? op.in("input") : op.unsqueeze(op.in("input"), {0});
  const Name result =
      op.emit(params.transposed ? "ConvTranspose" : "Conv", {input, op.in("weight"), bias(op)}, attributes);
  return {has_batch ? result : op.squeeze(result, {0})};
}

constexpr WriteRow kRows[] = {
    {"aten.conv1d.default", "Conv", write_conv},
    {"aten.conv2d.default", "Conv", write_conv},
    {"aten.conv3d.default", "Conv", write_conv},
    {"aten.conv1d.padding", "Conv", write_conv},
    {"aten.conv2d.padding", "Conv", write_conv},
    {"aten.conv3d.padding", "Conv", write_conv},
    {"aten.conv_transpose1d.default", "ConvTranspose", write_conv},
    {"aten.conv_transpose2d.input", "ConvTranspose", write_conv},
    {"aten.conv_transpose3d.input", "ConvTranspose", write_conv},
    {"aten.convolution.default", "Conv, ConvTranspose", write_conv},
    {"aten._convolution.default", "Conv, ConvTranspose", write_conv},
};

}  // namespace

WriteFamily write_conv_ops() { return kRows; }

}  // namespace qdq::onnx
