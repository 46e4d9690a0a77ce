// View ops run by their infer functions, which make the view.
#include <vector>

#include "reference/eval.h"

namespace qdq {
namespace {

// The node whose value's memory `node` may share, found by going up through first arguments.
const Node& memory_of(const Node& node) {
  const Node* at = &node;
  while (at->kind() == NodeKind::call_function) {
    const OpSchema* schema = find_schema(at->target());
    const bool shares = schema && !schema->args.empty() &&
                        (schema->traits.is_view || schema->traits.is_random || schema->args[0].is_aliased ||
                         at->target() == "operator.getitem");
    if (!shares || !at->input(0)) break;
    at = at->input(0);
  }
  return *at;
}

// Some op of the graph writes in place into memory that `node` may share.
bool is_written(const Node& node) {
  const Node& memory = memory_of(node);
  for (const Node& other : node.graph().nodes()) {
    const OpSchema* schema = other.kind() == NodeKind::call_function ? find_schema(other.target()) : nullptr;
    if (!schema || !schema->mutates()) continue;
    const Node& written = memory_of(other);
    const bool same_attribute = memory.kind() == NodeKind::get_attr && written.target() == memory.target();
    if (&written == &memory || same_attribute) return true;
  }
  return false;
}

std::vector<Value> eval_view(const Call& call) { return call.schema().infer(call); }

// torch's kernels keep the memory order of their operands where ours give row-major results, so a view that torch can
// take may need a copy here. Nothing shows that unless somebody writes through one of the two.
std::vector<Value> eval_reshaping_view(const Call& call) {
  try {
    return call.schema().infer(call);
  } catch (const InvalidArgumentError&) {
    const Tensor& self = call.tensor("self");
    if (self.is_contiguous() || is_written(call.node())) throw;
    std::vector<Value> args;
    for (const ArgSchema& arg : call.schema().args) args.push_back(call.arg(arg.name));
    args[0] = self.clone();
    return call.schema().infer(Call(call.node(), call.schema(), std::move(args)));
  }
}

}  // namespace

KernelFamily view_kernels() {
  static const std::vector<KernelRow> rows = [] {
    std::vector<KernelRow> result;
    for (const OpSchema* schema : all_schemas()) {
      if (!schema->traits.is_view) continue;
      const bool reshapes = schema->target == "aten.view.default" || schema->target == "aten.view_as.default" ||
                            schema->target == "aten._unsafe_view.default" || schema->target == "aten.unflatten.int";
      result.push_back({schema->target, reshapes ? eval_reshaping_view : eval_view});
    }
    return result;
  }();
  return rows;
}

}  // namespace qdq
