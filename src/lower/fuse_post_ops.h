#pragma once
#include <optional>

#include "lower/emitter.h"

// Fusing a node into the open convolution or linear step that computes its input. Each function returns the node's value
// when it did so; else it leaves a note that says why not, unless the node is of another kind.
//
//     conv -> relu6                    becomes   conv with a clip of its results
//     conv -> batch_norm               becomes   conv with scaled weights
//     conv -> add(other) -> relu       becomes   conv that adds `other`, of the same sizes and strides, then relu
namespace qdq::lower {

std::optional<Value> fuse_activation(const Call& call, Emitter& emitter);
std::optional<Value> fuse_addition(const Call& call, Emitter& emitter);
std::optional<Value> fold_batch_norm(const Call& call, Emitter& emitter);

// The activation that a call computes, if it is one.
std::optional<Activation> activation_of(const Call& call);

// Why the value of `producer` must exist in memory although `reader` uses it: others see it.
NoMatch why_not_private(const Node& producer, const Node& reader, const Emitter& emitter);

}  // namespace qdq::lower
