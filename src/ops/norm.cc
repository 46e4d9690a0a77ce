#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

// The results beside the normalized tensor: empty ones of [0] in inference, as torch returns them.
std::vector<Value> infer_batch_norm_inference(const Call& call) {
  const Tensor& input = call.tensor("input");
  return {meta_value(input.dtype(), input.sizes()), meta_value(DType::float32, {0}), meta_value(DType::float32, {0})};
}

// Mean and 1/std have a 1 in place of every normalized dimension.
std::vector<Value> infer_native_layer_norm(const Call& call) {
  const Tensor& input = call.tensor("input");
  const std::size_t normalized = call.ints("normalized_shape").size();
  if (normalized > input.sizes().size()) call.fail("normalized_shape has more dimensions than the input");
  Shape sizes = input.sizes();
  for (std::size_t d = sizes.size() - normalized; d < sizes.size(); ++d) sizes[d] = 1;
  return {meta_value(input.dtype(), input.sizes()), meta_value(DType::float32, sizes),
          meta_value(DType::float32, sizes)};
}

std::vector<Value> infer_native_group_norm(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Shape sizes = {call.integer("N"), call.integer("group")};
  return {meta_value(input.dtype(), input.sizes()), meta_value(DType::float32, sizes),
          meta_value(DType::float32, sizes)};
}

constexpr OpRow kRows[] = {
    {"aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
     "running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
     infer_same_as_first},
    {"aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, "
     "float eps=1e-05, bool cudnn_enable=True) -> Tensor",
     infer_same_as_first},
    {"aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
     "eps=1e-05, bool cudnn_enabled=True) -> Tensor",
     infer_same_as_first},
    {"aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
     "running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor",
     infer_same_as_first},
    {"aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> "
     "Tensor",
     infer_same_as_first},
    {"aten::_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor "
     "running_mean, Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
     infer_batch_norm_inference},
    {"aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float"
     " eps) -> (Tensor, Tensor, Tensor)",
     infer_native_layer_norm},
    {"aten::native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, "
     "int group, float eps) -> (Tensor, Tensor, Tensor)",
     infer_native_group_norm},
    {"aten::_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean, "
     "Tensor(b!) running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)"},
};

}  // namespace

OpFamily norm_ops() { return kRows; }

}  // namespace qdq
