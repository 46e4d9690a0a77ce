#include "passes/remove_identity.h"

#include <algorithm>

namespace qdq {
namespace {

// The argument at `position` or called `name`; null when the node leaves it at its default.
const Argument* argument(const Node& node, std::size_t position, std::string_view name) {
  return position < node.args().size() ? &node.arg(position) : node.kwarg(name);
}

bool is_set(const Argument* flag) { return flag && !flag->is_none() && *flag != Argument(false); }

bool is_dropout(const Node& node) {
  return node.is("aten.dropout.default") || node.is("aten.feature_dropout.default") ||
         node.is("aten.alpha_dropout.default");
}
bool is_cast(const Node& node) { return node.is("aten.to.dtype"); }
bool is_reshape(const Node& node) {
  return node.is("aten.view.default") || node.is("aten.reshape.default") || node.is("aten.expand.default");
}
bool is_alias(const Node& node) { return node.is("aten.alias.default") || node.is("aten.detach.default"); }

NoMatch why_types_differ(const Node& node, const Node& input) {
  const TensorMeta* before = input.type.tensor();
  const TensorMeta* after = node.type.tensor();
  if (!before || !after) return NoMatch("its type or its input's is not known");
  if (before->dtype != after->dtype) return NoMatch("changes the dtype");
  if (before->sizes != after->sizes) return NoMatch("changes the sizes");
  return {};
}

// Why `node`, one of the ops above, is not an identity; nothing if it is one.
NoMatch why_not_identity(const Node& node) {
  const Node* input = node.input(0);
  if (!input) return NoMatch("has no first argument that is a node");
  const auto users = node.users();
  if (std::any_of(users.begin(), users.end(), [](const Node* user) { return user->is_output(); }))
    return NoMatch("its name is part of the signature");
  if (is_dropout(node)) return is_set(argument(node, 2, "train")) ? NoMatch("drops values while training") : NoMatch();
  if (is_cast(node) && is_set(argument(node, 3, "copy"))) return NoMatch("makes a copy");
  if (is_cast(node) && is_set(argument(node, 4, "memory_format"))) return NoMatch("may change the memory format");
  if (is_alias(node)) return {};
  return why_types_differ(node, *input);
}

}  // namespace

int remove_identity(Graph& graph) {
  int removed = 0;
  for (Node& node : graph.nodes()) {
    if (!is_dropout(node) && !is_cast(node) && !is_reshape(node) && !is_alias(node)) continue;
    if (const NoMatch reason = why_not_identity(node)) {
      graph.note(node, "remove_identity", reason);
      continue;
    }
    node.replace_all_uses_with(*node.input(0));
    graph.erase(node);
    ++removed;
  }
  return removed;
}

}  // namespace qdq
