#pragma once
#include <optional>
#include <vector>

#include "lower/emitter.h"
#include "ops/call.h"
#include "tensor/activation.h"

namespace qdq::lower {

// What lies between an op and the quantize node that takes its result, when that is one chain that nobody else looks into:
//
//     op -> [relu | relu6 | hardtanh | clamp | dropout]... -> [add(dequantize) -> relu...] -> quantize
//     op -> gelu | silu | hardswish | ... -> quantize
//
// and behind the quantize, with its parameters again, [dequantize -> relu | hardtanh | ... -> quantize]...
//
// Views, transposes and copies may lie anywhere behind the addition: they move the bytes instead.
struct Int8Chain {
  const Node* quantize = nullptr;
  integer::Grid grid;  // its levels narrowed by clamps behind the first quantize
  DType dtype = DType::uint8;
  integer::Bounds bounds;                // of the activations that clamp
  std::optional<Activation> activation;  // one that does not
  const Node* residual = nullptr;        // the dequantize node that is added
  integer::Grid residual_grid;
  std::vector<const Node*> moves;    // in their order
  std::vector<const Node*> between;  // all nodes before the last quantize, the op's included
};

// What an op can take along.
struct ChainWants {
  bool residual = false;
  bool activation = false;
};
std::optional<Int8Chain> find_int8_chain(const Node& op, const Shared& shared, ChainWants wants = {});

// The node's call with its literals; the values of other nodes are none. Nothing for an op without a row.
std::optional<Call> literals_of(const Node& node);

// Views, transposes and copies: they only move values.
bool is_move(const Node& node);

// The only thing that happens to the node's value is that an in-place addition or multiplication writes its result into it.
bool is_only_updated(const Node& node);

// The grid of a quantize_per_tensor or dequantize_per_tensor node with literal parameters on uint8 or int8.
struct LiteralGrid {
  integer::Grid grid;
  DType dtype;
};
std::optional<LiteralGrid> literal_grid(const Node& node, std::string_view target);

}  // namespace qdq::lower
