#include "runtime/onednn/primitive.h"

namespace qdq::runtime::onednn {

Step linear_step(std::string name, const Linear& linear, const Context& context) {
  return guarded(name, [&] {
    const std::int64_t k = linear.weight.size(1);
    const std::int64_t n = linear.weight.size(0);
    const Tensor weight = linear.weight.permute(std::array<std::int64_t, 2>{1, 0});
    const auto src = describe(linear.src);
    const auto dst = describe(linear.dst);
    Tensor bias = linear.bias;
    if (bias.defined()) bias = bias.as_strided({1, n}, {n, bias.strides()[0]}, bias.storage_offset());
    const auto bias_desc = bias.defined() ? describe(bias) : dnnl::memory::desc();
    const dnnl::matmul::primitive_desc pd(cpu_engine(), src, any_layout({k, n}), bias_desc, dst,
                                          attributes_with(linear.post_ops));
    PrimitiveStep step;
    step.primitive = dnnl::matmul(pd);
    step.reads.push_back({DNNL_ARG_SRC, src, linear.src});
    if (bias.defined()) step.reads.push_back({DNNL_ARG_BIAS, bias_desc, bias});
    add_weights(step, DNNL_ARG_WEIGHTS, weight, describe(weight), pd.weights_desc(), context);
    add_post_op_operands(step, linear.post_ops);
    step.writes.push_back({DNNL_ARG_DST, dst, linear.dst});
    add_scratchpad(step, pd.scratchpad_desc(), context);
    Step made = to_step(name, std::string("linear:") + pd.impl_info_str(), std::move(step));
    made.operations = 2 * linear.dst.numel() * k;
    return made;
  });
}

}  // namespace qdq::runtime::onednn
