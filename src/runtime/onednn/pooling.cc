#include "runtime/onednn/primitive.h"

namespace qdq::runtime::onednn {

Step pooling_step(std::string name, const Pooling& pooling, const Context& context) {
  return guarded(name, [&] {
    auto algorithm = dnnl::algorithm::pooling_max;
    if (pooling.kind == Pooling::Kind::average_include_padding)
      algorithm = dnnl::algorithm::pooling_avg_include_padding;
    if (pooling.kind == Pooling::Kind::average_exclude_padding)
      algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
    dnnl::memory::dims dilation;
    for (std::int64_t d : pooling.dilation) dilation.push_back(d - 1);
    const auto src = describe(pooling.src);
    const auto dst = describe(pooling.dst);
    const dnnl::pooling_forward::primitive_desc pd(cpu_engine(), dnnl::prop_kind::forward_inference, algorithm, src,
                                                   dst, dims_of(pooling.stride), dims_of(pooling.kernel), dilation,
                                                   dims_of(pooling.padding_begin), dims_of(pooling.padding_end),
                                                   attributes_with({}));
    PrimitiveStep step;
    step.primitive = dnnl::pooling_forward(pd);
    step.reads.push_back({DNNL_ARG_SRC, src, pooling.src});
    step.writes.push_back({DNNL_ARG_DST, dst, pooling.dst});
    add_scratchpad(step, pd.scratchpad_desc(), context);
    return to_step(name, std::string("pooling:") + pd.impl_info_str(), std::move(step));
  });
}

}  // namespace qdq::runtime::onednn
