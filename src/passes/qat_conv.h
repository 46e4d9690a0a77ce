#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "qdq/graph.h"

namespace qdq {

// A convolution that trains as one with its batch norm, and the rank of its weight.
struct QatConv {
  std::string_view target;
  std::size_t rank;
  bool is_transposed;
};
// In torchao's order.
inline constexpr std::array<QatConv, 4> kQatConvs = {{{"aten.conv1d.default", 3, false},
                                                      {"aten.conv2d.default", 4, false},
                                                      {"aten.conv_transpose1d.default", 3, true},
                                                      {"aten.conv_transpose2d.input", 4, true}}};

// "aten.conv2d.default" -> "conv2d": the name that torch.export gives a call.
inline std::string plain_name(const Node& node) {
  std::string_view name = node.target();
  name = name.substr(0, name.rfind('.'));
  return std::string(name.substr(name.rfind('.') + 1));
}

}  // namespace qdq
