#include <algorithm>
#include <charconv>
#include <string_view>

#include "qdq/numeric_debugger.h"

namespace qdq {
namespace {

constexpr std::string_view kCustom = "custom";
constexpr std::string_view kKey = "\"numeric_debug_handle\":";

}  // namespace

std::optional<std::int64_t> numeric_debug_handle(const Node& node) {
  std::string_view text = node.meta.get(kCustom);
  const auto at = text.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kKey.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::int64_t handle = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), handle);
  return error == std::errc() ? std::optional(handle) : std::nullopt;
}

int generate_numeric_debug_handle(Program& program) {
  std::int64_t largest = 0;
  walk_subgraphs(program.graph(), [&](Graph& graph) {
    for (const Node& node : graph.nodes()) largest = std::max(largest, numeric_debug_handle(node).value_or(0));
  });
  int given = 0;
  walk_subgraphs(program.graph(), [&](Graph& graph) {
    for (Node& node : graph.nodes()) {
      if (node.kind() != NodeKind::call_function || numeric_debug_handle(node)) continue;
      std::string custom(node.meta.get(kCustom));
      const auto close = custom.rfind('}');
      const bool has_others = close != std::string::npos && custom.find(':') < close;
      const std::string entry = std::string(kKey) + " " + std::to_string(++largest);
      custom = close == std::string::npos ? "{" + entry + "}"
                                          : custom.substr(0, close) + (has_others ? ", " : "") + entry + "}";
      node.meta.set(kCustom, custom);
      ++given;
    }
  });
  return given;
}

}  // namespace qdq
