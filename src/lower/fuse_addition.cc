#include <algorithm>

#include "lower/fuse_post_ops.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"

namespace qdq::lower {
namespace {

bool is_addition(const Node& node) { return node.is("aten.add.Tensor") || node.is("aten.add_.Tensor"); }

// `other` seen as the step's result is: same sizes, same strides. Undefined when its memory order differs.
Tensor in_order_of(const Tensor& dst, const Tensor& value, const Tensor& other) {
  for (std::size_t d = 0; d < value.sizes().size(); ++d)
    if (value.sizes()[d] != 1 && value.strides()[d] != other.strides()[d]) return {};
  return other.as_strided(dst.sizes(), dst.strides(), other.storage_offset());
}

NoMatch why_not_add(const Call& call, const Node& producer, const Tensor& value, const Tensor* other,
                    const Fusible& step, const Emitter& emitter) {
  if (!other || !is_float(*other) || other->sizes() != value.sizes())
    return NoMatch("the summands differ in size or type");
  if (call.number("alpha") != 1.0) return NoMatch("the sum is weighted");
  if (NoMatch why = why_not_private(producer, call.node(), emitter)) return why;
  if (!in_order_of(step.dst(), value, *other).defined())
    return NoMatch("the summands lie in memory in different orders");
  if (other->storage() == step.dst().storage()) return NoMatch("both summands are one value");
  if (emitter.is_overtaken(step)) return NoMatch("an operand is overwritten in between");
  return {};
}

}  // namespace

std::optional<Value> fuse_addition(const Call& call, Emitter& emitter) {
  if (!is_addition(call.node())) return std::nullopt;
  const bool in_place = call.schema().mutates();
  // An in-place sum can only grow from its left side: the right one keeps its value.
  for (std::size_t side = 0; side < (in_place ? 1u : 2u); ++side) {
    const Node* producer = call.node().input(side);
    const auto step = producer ? emitter.open_step(*producer) : nullptr;
    if (!step) continue;
    const Tensor* value = call.arg(side == 0 ? "self" : "other").tensor();
    const Tensor* other = call.arg(side == 0 ? "other" : "self").tensor();
    if (!value) continue;
    if (NoMatch why = why_not_add(call, *producer, *value, other, *step, emitter)) {
      emitter.notes().push_back({call.node().name(), "fuse_addition", why.reason()});
      continue;
    }
    // If the other summand is an open step too, it must not take on more: its value is read here.
    if (const Node* other_node = call.node().input(1 - side)) emitter.close(*other_node);
    emitter.materialise(*other);
    step->post_ops().push_back(
        runtime::ElementwisePostOp{runtime::ElementwisePostOp::Kind::add, in_order_of(step->dst(), *value, *other)});
    emitter.move_to_end(*producer, call.node());
    return Value(*value);
  }
  return std::nullopt;
}

}  // namespace qdq::lower
