#include "lower/fuse_post_ops.h"
#include "ops/clamp.h"
#include "ops/schema.h"

namespace qdq::lower {
std::optional<Activation> activation_of(const Call& call) {
  using Kind = Activation::Kind;
  const auto plain = [](Kind kind) { return Activation{kind}; };
  const std::string target = functional_target(call.schema());
  if (target == "aten.relu.default") return plain(Kind::relu);
  if (const auto bounds = clamp_bounds(call))
    return Activation{Kind::clamp, static_cast<float>(bounds->low), static_cast<float>(bounds->high)};
  if (target == "aten.leaky_relu.default")
    return Activation{Kind::leaky_relu, static_cast<float>(call.number("negative_slope"))};
  if (target == "aten.hardswish.default") return plain(Kind::hardswish);
  if (target == "aten.hardsigmoid.default") return plain(Kind::hardsigmoid);
  if (target == "aten.sigmoid.default") return plain(Kind::sigmoid);
  if (target == "aten.silu.default") return plain(Kind::silu);
  if (target == "aten.tanh.default") return plain(Kind::tanh);
  if (target == "aten.gelu.default")
    return plain(call.string("approximate") == "tanh" ? Kind::gelu_tanh : Kind::gelu_erf);
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
