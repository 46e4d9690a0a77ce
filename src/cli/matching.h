#pragma once
#include <string>
#include <vector>

#include "qdq/program.h"

namespace qdq::cli {

// Two nodes that should produce the same value, by name.
struct NodePair {
  std::string reference;
  std::string other;
  std::string op;
};

// The ops of `reference` that have a counterpart in `other`: the same name and op. A batch norm that is gone in `other`
// pairs with the convolution or linear that feeds it: quantization folds it into that one. Quantize and dequantize
// nodes, and nodes that do not produce a floating-point tensor, have none.
std::vector<NodePair> matching_nodes(const Program& reference, const Program& other);

}  // namespace qdq::cli
