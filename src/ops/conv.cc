#include "ops/conv.h"

#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {

ConvParams conv_params(const Call& call) {
  const Tensor& weight = call.tensor("weight");
  if (weight.dim() < 3) call.fail("the weight must have at least 3 dimensions, found " + to_string(weight.sizes()));
  const auto spatial = static_cast<std::size_t>(weight.dim() - 2);
  ConvParams params;
  params.stride = call.ints("stride", spatial);
  params.dilation = call.ints("dilation", spatial);
  params.groups = call.integer("groups");
  params.transposed = call.schema().find_arg("transposed") ? call.boolean("transposed")
                                                           : call.schema().target.starts_with("aten.conv_transpose");
  params.output_padding =
      call.schema().find_arg("output_padding") ? call.ints("output_padding", spatial) : Shape(spatial, 0);
  if (!std::holds_alternative<std::string>(call.arg("padding").v)) {
    params.padding = call.ints("padding", spatial);
    params.padding_after = params.padding;
    return params;
  }
  const std::string& mode = call.string("padding");
  if (mode != "same" && mode != "valid") call.fail("padding must be 'same' or 'valid', found '" + mode + "'");
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t total =
        mode == "same" ? params.dilation[d] * (weight.size(static_cast<std::int64_t>(d) + 2) - 1) : 0;
    params.padding.push_back(total / 2);  // an odd total puts the extra element behind
    params.padding_after.push_back(total - total / 2);
  }
  return params;
}

Shape conv_output_sizes(const Call& call, const ConvParams& params, std::span<const std::int64_t> input) {
  const Shape& weight = call.tensor("weight").sizes();
  const std::int64_t channels = params.transposed ? weight[0] : weight[1] * params.groups;
  if (params.groups < 1 || input.size() != weight.size() || input[1] != channels)
    call.fail("input of sizes " + to_string(input) + " does not fit a weight of sizes " + to_string(weight) + " with " +
              std::to_string(params.groups) + " groups");
  Shape sizes = {input[0], params.transposed ? weight[1] * params.groups : weight[0]};
  for (std::size_t d = 0; d + 2 < weight.size(); ++d) {
    const std::int64_t reach = params.dilation[d] * (weight[d + 2] - 1);
    const std::int64_t padding = params.padding[d] + params.padding_after[d];
    std::int64_t size = 0;
    if (params.transposed) {
      size = (input[d + 2] - 1) * params.stride[d] - padding + reach + params.output_padding[d] + 1;
    } else {
      if (params.stride[d] < 1) call.fail("stride must be positive");
      const std::int64_t room = input[d + 2] + padding - reach - 1;
      size = room < 0 ? 0 : room / params.stride[d] + 1;
    }
    if (size < 1) call.fail("the kernel does not fit an input of sizes " + to_string(input));
    sizes.push_back(size);
  }
  return sizes;
}

namespace {

std::vector<Value> infer_conv(const Call& call) {
  const Tensor& input = call.tensor("input");
  const bool batched = input.dim() == call.tensor("weight").dim();
  Shape with_batch = input.sizes();
  if (!batched) with_batch.insert(with_batch.begin(), 1);
  Shape sizes = conv_output_sizes(call, conv_params(call), with_batch);
  if (!batched) sizes.erase(sizes.begin());
  return {meta_value(input.dtype(), std::move(sizes))};
}

constexpr OpRow kRows[] = {
    {"aten::conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] "
     "padding=[0], SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
     infer_conv},
    {"aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], SymInt[2] "
     "padding=[0, 0], SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
     infer_conv},
    {"aten::conv3d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] "
     "padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor",
     infer_conv},
    {"aten::conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], str "
     "padding=\"valid\", SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
     infer_conv},
    {"aten::conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], str "
     "padding=\"valid\", SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
     infer_conv},
    {"aten::conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], str"
     " padding=\"valid\", SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor",
     infer_conv},
    {"aten::conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], "
     "SymInt[1] padding=[0], SymInt[1] output_padding=[0], SymInt groups=1, SymInt[1] dilation=[1]) -> "
     "Tensor",
     infer_conv},
    {"aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, "
     "1], SymInt[2] padding=[0, 0], SymInt[2] output_padding=[0, 0], SymInt groups=1, SymInt[2] "
     "dilation=[1, 1]) -> Tensor",
     infer_conv},
    {"aten::conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1,"
     " 1], SymInt[3] padding=[0, 0, 0], SymInt[3] output_padding=[0, 0, 0], SymInt groups=1, SymInt[3] "
     "dilation=[1, 1, 1]) -> Tensor",
     infer_conv},
    {"aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, "
     "SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor",
     infer_conv},
    {"aten::_convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, "
     "SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups, bool benchmark, bool "
     "deterministic, bool cudnn_enabled, bool allow_tf32) -> Tensor",
     infer_conv},
};

}  // namespace

OpFamily conv_ops() { return kRows; }

}  // namespace qdq
