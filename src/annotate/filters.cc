#include <fnmatch.h>

#include "qdq/quantizer.h"

namespace qdq {
namespace {

// torch.export writes the modules around a node, outermost first, as "key,path,type;key,path,type".
// Calls fn(path, type) for each; stops when it returns true.
template <typename Fn>
bool any_module(const Node& node, Fn&& fn) {
  std::string_view stack = node.meta.get("nn_module_stack");
  while (!stack.empty()) {
    const std::string_view entry = stack.substr(0, stack.find(';'));
    stack.remove_prefix(std::min(entry.size() + 1, stack.size()));
    const auto first = entry.find(',');
    const auto last = entry.rfind(',');
    if (first == std::string_view::npos || first == last) continue;
    std::string_view path = entry.substr(first + 1, last - first - 1);
    if (constexpr std::string_view self = "L['self']."; path.starts_with(self)) path.remove_prefix(self.size());
    if (fn(path, entry.substr(last + 1))) return true;
  }
  return false;
}

}  // namespace

NodeFilter module_name_filter(std::string module_name) {
  return [wanted = std::move(module_name)](const Node& node) {
    return any_module(node, [&](std::string_view path, std::string_view) { return path == wanted; });
  };
}

NodeFilter module_type_filter(std::string qualified_type) {
  return [wanted = std::move(qualified_type)](const Node& node) {
    return any_module(node, [&](std::string_view, std::string_view type) { return type == wanted; });
  };
}

NodeFilter pattern_filter(std::string glob) {
  return [glob = std::move(glob)](const Node& node) {
    auto matches = [&](const std::string& text) { return fnmatch(glob.c_str(), text.c_str(), 0) == 0; };
    return matches(node.name()) || matches(node.target()) ||
           any_module(node, [&](std::string_view path, std::string_view) { return matches(std::string(path)); });
  };
}

}  // namespace qdq
