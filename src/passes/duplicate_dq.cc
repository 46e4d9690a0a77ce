#include "passes/duplicate_dq.h"

#include "passes/qdq_ops.h"
#include "qdq/quantizer.h"

namespace qdq {
namespace {

NoMatch why_not(const Node& node) {
  std::size_t consumers = 0;
  for (const Node* user : node.users()) consumers += !is_size_query(*user);
  if (consumers <= 1) return NoMatch("it has one consumer");
  if (const Node* quantize = node.input(0); quantize && is_quantize(*quantize)) {
    const Node* scale = quantize->input(1);
    if (scale && scale->is("operator.getitem") && scale->input(0)->is(kChooseQParams))
      return NoMatch("its scale is chosen at run time");
  }
  return {};
}

}  // namespace

int duplicate_dq(Graph& graph) {
  int made = 0;
  for (Node& dq : graph.nodes()) {
    if (!is_dequantize(dq) || dq.is(kDequantizeAffine)) continue;
    if (const NoMatch why = why_not(dq)) {
      graph.note(dq, "duplicate_dq", why);
      continue;
    }
    for (Node* user : dq.users()) {
      if (is_size_query(*user) || !is_valid_annotation(*user)) continue;
      auto at = graph.inserting_after(dq);
      Node& copy = graph.create(NodeKind::call_function, dq.target(), dq.args(), dq.kwargs(), dq.name());
      copy.type = dq.type;
      copy.meta = dq.meta;
      copy.arg_names = dq.arg_names;
      user->replace_input_with(dq, copy);
      ++made;
    }
    if (dq.num_users() == 0) graph.erase(dq);
  }
  return made;
}

}  // namespace qdq
