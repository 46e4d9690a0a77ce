#include "lower/fuse_post_ops.h"
#include "ops/schema.h"

namespace qdq::lower {
namespace {

using runtime::PostOp;

PostOp simple(PostOp::Kind kind) { return {kind, 0.0f, 0.0f, {}}; }

PostOp clip(double low, double high) {
  return {PostOp::Kind::clip, static_cast<float>(low), static_cast<float>(high), {}};
}

// `target` without the underscore of an in-place op: "aten.relu_.default" -> "aten.relu.default".
std::string functional_target(const std::string& target) {
  const auto at = target.find("_.");
  return at == std::string::npos ? target : target.substr(0, at) + target.substr(at + 1);
}

}  // namespace

std::optional<PostOp> activation_of(const Call& call) {
  const std::string target = functional_target(call.schema().target);
  if (target == "aten.relu.default") return simple(PostOp::Kind::relu);
  if (target == "aten.relu6.default") return clip(0.0, 6.0);
  if (target == "aten.hardtanh.default") return clip(call.number("min_val"), call.number("max_val"));
  if (target == "aten.clamp.default" && call.has("min") && call.has("max"))
    return clip(call.number("min"), call.number("max"));
  if (target == "aten.leaky_relu.default")
    return PostOp{PostOp::Kind::leaky_relu, static_cast<float>(call.number("negative_slope")), 0.0f, {}};
  if (target == "aten.hardswish.default") return simple(PostOp::Kind::hardswish);
  if (target == "aten.hardsigmoid.default") return simple(PostOp::Kind::hardsigmoid);
  if (target == "aten.sigmoid.default") return simple(PostOp::Kind::sigmoid);
  if (target == "aten.silu.default") return simple(PostOp::Kind::silu);
  if (target == "aten.tanh.default") return simple(PostOp::Kind::tanh);
  if (target == "aten.gelu.default")
    return simple(call.string("approximate") == "tanh" ? PostOp::Kind::gelu_tanh : PostOp::Kind::gelu_erf);
  return std::nullopt;
}

NoMatch why_not_private(const Node& producer, const Node& reader, const Emitter& emitter) {
  if (producer.num_users() != 1 || producer.users()[0] != &reader) return NoMatch("its value has other users");
  if (const_cast<Emitter&>(emitter).shared().kept.contains(producer.name())) return NoMatch("its value is kept");
  return {};
}

std::optional<Value> fuse_activation(const Call& call, Emitter& emitter) {
  const auto activation = activation_of(call);
  const Node* producer = call.node().input(0);
  const auto step = activation && producer ? emitter.open_step(*producer) : nullptr;
  if (!step) return std::nullopt;
  NoMatch why = why_not_private(*producer, call.node(), emitter);
  if (!why && emitter.is_overtaken(*step)) why = NoMatch("an operand is overwritten in between");
  if (why) {
    emitter.notes().push_back({call.node().name(), "fuse_activation", why.reason()});
    return std::nullopt;
  }
  step->post_ops().push_back(*activation);
  emitter.move_to_end(*producer, call.node());
  return Value(call.schema().find_arg("self") ? call.tensor("self") : call.tensor("input"));
}

}  // namespace qdq::lower
