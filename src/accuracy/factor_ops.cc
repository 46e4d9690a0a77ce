#include "accuracy/factor_ops.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace qdq {

bool is_relu_op(const Node& node) { return node.is("aten.relu.default") || node.is("aten.relu_.default"); }

bool lets_factors_through(const Node& node) {
  static constexpr std::array<std::string_view, 9> targets = {
      "aten.leaky_relu.default", "aten.leaky_relu_.default",         "aten.dropout.default",
      "aten.max_pool1d.default", "aten.max_pool2d.default",          "aten.avg_pool1d.default",
      "aten.avg_pool2d.default", "aten.adaptive_avg_pool1d.default", "aten.adaptive_avg_pool2d.default"};
  return is_relu_op(node) ||
         (node.kind() == NodeKind::call_function && std::ranges::find(targets, node.target()) != targets.end());
}

bool drops_single_pixels(const Node& node) {
  const TensorMeta* from = node.input(0) ? node.input(0)->type.tensor() : nullptr;
  const TensorMeta* to = node.type.tensor();
  return node.is("aten.flatten.using_ints") && from && to && to->sizes.size() == 2 && from->sizes.size() > 2 &&
         from->sizes[1] == to->sizes[1];
}

std::optional<double> upper_clamp(const Node& node) {
  if (node.is("aten.relu6.default") || node.is("aten.relu6_.default")) return 6.0;
  if (!node.is("aten.hardtanh.default") && !node.is("aten.hardtanh_.default")) return std::nullopt;
  const bool fits = node.args().size() == 3 && node.arg(1).to_double() == 0 && node.arg(2).to_double() > 0;
  return fits ? std::optional(node.arg(2).to_double()) : std::nullopt;
}

}  // namespace qdq
