#pragma once
#include <functional>
#include <string_view>

#include "ops/call.h"

namespace qdq {

// What an operator with sub-graphs needs of the interpreter around it.
struct HigherOrderContext {
  std::function<Value(const Argument&)> value_of;  // of a node, a number or None
  // The values of a body's output for values of its placeholders.
  std::function<Value::List(const Graph&, Value::List)> run_body;
};

// cond, while_loop, scan, map_impl, wrap_with_set_grad_enabled and out_dtype.
bool is_run_higher_order(std::string_view target);

// Runs one of them. Throws InvalidArgumentError, naming the node, for arguments and bodies that do not fit each other,
// and for scan and map_impl over nothing: the sizes of their results are known from a run of the body only.
Value run_higher_order(const Node& node, const HigherOrderContext& context);

}  // namespace qdq
