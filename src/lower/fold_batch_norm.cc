#include "lower/batch_norm.h"
#include "lower/fuse_post_ops.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"

namespace qdq::lower {
namespace {

NoMatch why_not_fold(const Call& call, const Node& producer, Fusible& step, const Emitter& emitter) {
  const auto* convolution = std::get_if<runtime::onednn::Convolution>(&step.op);
  if (!convolution) return NoMatch("not after a convolution");
  if (!step.post_ops().empty()) return NoMatch("the convolution's result is changed before the batch norm");
  if (NoMatch why = why_not_private(producer, call.node(), emitter)) return why;
  if (!emitter.is_constant(convolution->weight)) return NoMatch("the weight is computed while running");
  if (convolution->bias.defined() && !emitter.is_constant(convolution->bias))
    return NoMatch("the bias is computed while running");
  for (const char* name : {"weight", "bias", "running_mean", "running_var"})
    if (const Tensor t = call.optional_tensor(name); t.defined() && !emitter.is_constant(t))
      return NoMatch("its statistics can change");
  return {};
}

// weight[o, ...] * scale[o] and (bias * scale + shift)[o] for the output channels o.
std::pair<Tensor, Tensor> scaled(const runtime::onednn::Convolution& c, const ChannelAffine& affine) {
  const Tensor weight = c.weight.clone();
  const std::int64_t channels = affine.scale.numel();
  const float* scale = affine.scale.data<float>();
  float* w = weight.data<float>();
  if (c.transposed) {  // [C, O / groups, k...]
    const std::int64_t inner = weight.numel() / (weight.size(0) * weight.size(1));
    const std::int64_t per_group = weight.size(0) / c.groups;
    for (std::int64_t i = 0; i < weight.size(0); ++i)
      for (std::int64_t o = 0; o < weight.size(1); ++o)
        for (std::int64_t k = 0; k < inner; ++k)
          w[(i * weight.size(1) + o) * inner + k] *= scale[i / per_group * weight.size(1) + o];
  } else {
    const std::int64_t inner = weight.numel() / channels;
    for (std::int64_t o = 0; o < channels; ++o)
      for (std::int64_t k = 0; k < inner; ++k) w[o * inner + k] *= scale[o];
  }
  const Tensor bias = affine.shift.clone();
  if (c.bias.defined()) {
    const Tensor old = c.bias.contiguous();
    for (std::int64_t o = 0; o < channels; ++o) bias.data<float>()[o] += old.data<float>()[o] * scale[o];
  }
  return {weight, bias};
}

}  // namespace

std::optional<Value> fold_batch_norm(const Call& call, Emitter& emitter) {
  const Node* producer = is_batch_norm(call.node()) ? call.node().input(0) : nullptr;
  const auto step = producer ? emitter.open_step(*producer) : nullptr;
  if (!step) return std::nullopt;
  if (NoMatch why = why_not_fold(call, *producer, *step, emitter)) {
    emitter.notes().push_back({call.node().name(), "fold_batch_norm", why.reason()});
    return std::nullopt;
  }
  auto& convolution = std::get<runtime::onednn::Convolution>(step->op);
  auto& folded = emitter.shared().constants->folded_norms;
  if (!folded.contains(&call.node())) {
    const auto affine = channel_affine_of(call);
    if (!affine || affine->scale.numel() != convolution.dst.size(1)) return std::nullopt;
    folded[&call.node()] = scaled(convolution, *affine);
  }
  std::tie(convolution.weight, convolution.bias) = folded.at(&call.node());
  emitter.move_to_end(*producer, call.node());
  const Value result(call.tensor("input"));
  if (call.schema().returns.size() == 1) return result;
  const Tensor none = Tensor::empty(DType::float32, {0});
  return Value(Value::List{result, none, none});
}

}  // namespace qdq::lower
