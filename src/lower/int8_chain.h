#pragma once
#include <optional>
#include <vector>

#include "lower/emitter.h"

namespace qdq::lower {

// What lies between an op and the quantize node that takes its result, when that is one chain that nobody else looks into:
//
//     op -> [relu | relu6 | hardtanh | clamp | dropout]... -> [add(dequantize) -> relu...] -> quantize
struct Int8Chain {
  const Node* quantize = nullptr;
  integer::Grid grid;
  DType dtype = DType::uint8;
  integer::Bounds bounds;          // of the activations
  const Node* residual = nullptr;  // the dequantize node that is added
  integer::Grid residual_grid;
  std::vector<const Node*> between;  // all nodes before the quantize, the op's included
};

// The chain behind `op`; a residual is only looked for when asked for.
std::optional<Int8Chain> find_int8_chain(const Node& op, const Shared& shared, bool with_residual);

// The only thing that happens to the node's value is that an in-place addition writes its sum into it.
bool is_only_added_to(const Node& node);

// The grid of a quantize_per_tensor or dequantize_per_tensor node with literal parameters on uint8 or int8.
struct LiteralGrid {
  integer::Grid grid;
  DType dtype;
};
std::optional<LiteralGrid> literal_grid(const Node& node, std::string_view target);

}  // namespace qdq::lower
