#include "ops/clamp.h"

#include "ops/schema.h"

namespace qdq {

std::optional<ClampBounds> clamp_bounds(const Call& call) {
  constexpr ClampBounds kNone;
  const auto bound = [&](const char* name, double otherwise) {
    return call.schema().find_arg(name) && call.has(name) ? call.number(name) : otherwise;
  };
  const std::string target = functional_target(call.schema());
  if (target == "aten.relu.default") return ClampBounds{0.0, kNone.high};
  if (target == "aten.relu6.default") return ClampBounds{0.0, 6.0};
  if (target == "aten.hardtanh.default") return ClampBounds{call.number("min_val"), call.number("max_val")};
  if (target == "aten.clamp.default" || target == "aten.clamp_min.default" || target == "aten.clamp_max.default")
    return ClampBounds{bound("min", kNone.low), bound("max", kNone.high)};
  return std::nullopt;
}

std::optional<ClampBounds> clamp_bounds(const Node& node) {
  const OpSchema* schema = node.kind() == NodeKind::call_function ? find_schema(node.target()) : nullptr;
  return schema ? clamp_bounds(bind(node, *schema, [](const Node&) { return Value(); })) : std::nullopt;
}

}  // namespace qdq
