#include "runtime/onednn/primitive.h"

namespace qdq::runtime::onednn {
namespace {

// The weight with its group dimension: [g, O / g, C / g, k...]. A transposed convolution stores C before O.
Tensor grouped_weight(const Convolution& c) {
  const Shape& sizes = c.weight.sizes();
  const Shape& strides = c.weight.strides();
  Shape out_sizes{c.groups, sizes[0] / c.groups, sizes[1]};
  Shape out_strides{strides[0] * (sizes[0] / c.groups), strides[0], strides[1]};
  if (c.transposed) {
    std::swap(out_sizes[1], out_sizes[2]);
    std::swap(out_strides[1], out_strides[2]);
  }
  out_sizes.insert(out_sizes.end(), sizes.begin() + 2, sizes.end());
  out_strides.insert(out_strides.end(), strides.begin() + 2, strides.end());
  if (c.groups == 1) {
    out_sizes.erase(out_sizes.begin());
    out_strides.erase(out_strides.begin());
  }
  return c.weight.as_strided(std::move(out_sizes), std::move(out_strides), c.weight.storage_offset());
}

dnnl::memory::dims dilates(const Shape& dilation) {  // oneDNN counts the zeros between taps
  dnnl::memory::dims result;
  for (std::int64_t d : dilation) result.push_back(d - 1);
  return result;
}

}  // namespace

Step convolution_step(std::string name, const Convolution& c, const Context& context) {
  return guarded(name, [&] {
    const Tensor weight = grouped_weight(c);
    const auto attributes = attributes_with(c.post_ops);
    const auto src = describe(c.src);
    const auto dst = describe(c.dst);
    const auto bias = c.bias.defined() ? describe(c.bias) : dnnl::memory::desc();
    const auto wanted = any_layout(dims_of(weight.sizes()));
    PrimitiveStep step;
    const auto finish = [&](const auto& pd, dnnl::primitive primitive) {
      step.primitive = std::move(primitive);
      step.reads.push_back({DNNL_ARG_SRC, src, c.src});
      if (c.bias.defined()) step.reads.push_back({DNNL_ARG_BIAS, bias, c.bias});
      add_weights(step, DNNL_ARG_WEIGHTS, weight, describe(weight), pd.weights_desc(), context);
      add_post_op_operands(step, c.post_ops);
      step.writes.push_back({DNNL_ARG_DST, dst, c.dst});
      add_scratchpad(step, pd.scratchpad_desc(), context);
      Step made = to_step(name, std::string(c.transposed ? "deconvolution:" : "convolution:") + pd.impl_info_str(),
                          std::move(step));
      const Tensor& one_per_filter = c.transposed ? c.src : c.dst;
      made.operations = 2 * one_per_filter.numel() * (c.weight.numel() / c.weight.size(0));
      return made;
    };
    if (c.transposed) {
      const dnnl::deconvolution_forward::primitive_desc pd(
          cpu_engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, src, wanted, bias,
          dst, dims_of(c.stride), dilates(c.dilation), dims_of(c.padding_begin), dims_of(c.padding_end), attributes);
      return finish(pd, dnnl::deconvolution_forward(pd));
    }
    const dnnl::convolution_forward::primitive_desc pd(
        cpu_engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src, wanted, bias, dst,
        dims_of(c.stride), dilates(c.dilation), dims_of(c.padding_begin), dims_of(c.padding_end), attributes);
    return finish(pd, dnnl::convolution_forward(pd));
  });
}

}  // namespace qdq::runtime::onednn
