#pragma once
#include <string_view>

#include "qdq/graph.h"

namespace qdq {

// The path of the module that a node stands in, "features.0.conv": of the last entry of its "nn_module_stack", which
// torch.export writes outermost first as "key,path,type;key,path,type". Empty for none. Lives as long as the metadata.
inline std::string_view innermost_module_path(const Node& node) {
  const std::string_view stack = node.meta.get("nn_module_stack");
  const std::string_view entry = stack.substr(stack.rfind(';') + 1);
  const auto first = entry.find(',');
  const auto last = entry.rfind(',');
  if (first == std::string_view::npos || first == last) return {};
  return entry.substr(first + 1, last - first - 1);
}

}  // namespace qdq
