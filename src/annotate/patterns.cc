#include "annotate/patterns.h"

#include <algorithm>

namespace qdq {

bool is_any_of(const Node& node, std::span<const std::string_view> targets) {
  return node.kind() == NodeKind::call_function &&
         std::find(targets.begin(), targets.end(), node.target()) != targets.end();
}
bool is_any_of(const Node& node, std::initializer_list<std::string_view> targets) {
  return is_any_of(node, std::span(targets.begin(), targets.size()));
}

bool is_relu(const Node& node) { return is_any_of(node, {"aten.relu.default", "aten.relu_.default"}); }
bool is_linear(const Node& node) { return is_any_of(node, kLinearOps); }
bool is_conv(const Node& node) { return is_any_of(node, kConvOps); }
bool is_conv_transpose(const Node& node) {
  return is_any_of(node,
                   {"aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input"});
}
bool is_batch_norm(const Node& node) { return node.is("aten.batch_norm.default"); }
bool is_add(const Node& node) { return is_any_of(node, {"aten.add.Tensor", "aten.add_.Tensor"}); }
bool is_mul(const Node& node) { return is_any_of(node, {"aten.mul.Tensor", "aten.mul_.Tensor"}); }
bool is_matmul(const Node& node) { return is_any_of(node, kMatmulOps); }

std::string_view base_name(const Node& op) {
  std::string_view name = op.target();
  name = name.substr(0, name.rfind('.'));
  name = name.substr(name.rfind('.') + 1);
  if (name.size() > 1 && name.ends_with('_') && !name.ends_with("__")) name.remove_suffix(1);
  return name;
}

bool is_float_tensor(const Node& node) {
  const TensorMeta* meta = node.type.tensor();
  return meta && is_floating_point(meta->dtype);
}

std::shared_ptr<QuantizationAnnotation> new_annotation(std::string rule) {
  auto annotation = std::make_shared<QuantizationAnnotation>();
  annotation->annotated = true;
  annotation->rule = std::move(rule);
  return annotation;
}

}  // namespace qdq
