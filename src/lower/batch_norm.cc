#include "lower/batch_norm.h"

#include <cmath>

#include "lower/kernel_list.h"
#include "ops/schema.h"

namespace qdq::lower {

bool is_batch_norm(const Node& node) {
  return node.is("aten.batch_norm.default") || node.is("aten._native_batch_norm_legit_no_training.default");
}

std::optional<ChannelAffine> channel_affine_of(const Call& call) {
  if (call.schema().find_arg("training") && call.boolean("training")) return std::nullopt;
  const Tensor mean = call.optional_tensor("running_mean");
  const Tensor variance = call.optional_tensor("running_var");
  const Tensor gamma = call.optional_tensor("weight");
  const Tensor beta = call.optional_tensor("bias");
  if (!is_float(mean) || !is_float(variance)) return std::nullopt;
  if ((gamma.defined() && !is_float(gamma)) || (beta.defined() && !is_float(beta))) return std::nullopt;
  const double eps = call.number("eps");
  const std::int64_t channels = mean.numel();
  ChannelAffine result{Tensor::empty(DType::float32, {channels}), Tensor::empty(DType::float32, {channels})};
  const auto at = [](const Tensor& t, std::int64_t c) {
    return static_cast<double>(t.data<float>()[c * t.strides()[0]]);
  };
  for (std::int64_t c = 0; c < channels; ++c) {
    const double scale = (gamma.defined() ? at(gamma, c) : 1.0) / std::sqrt(at(variance, c) + eps);
    result.scale.data<float>()[c] = static_cast<float>(scale);
    result.shift.data<float>()[c] = static_cast<float>((beta.defined() ? at(beta, c) : 0.0) - at(mean, c) * scale);
  }
  return result;
}

}  // namespace qdq::lower
