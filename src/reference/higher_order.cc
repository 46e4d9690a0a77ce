#include "reference/higher_order.h"

#include <string>
#include <unordered_map>

#include "ops/out_dtype.h"
#include "ops/schema.h"
#include "qdq/error.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

[[noreturn]] void fail(const Node& node, const std::string& why) {
  throw InvalidArgumentError("[run] " + node.describe() + ": " + why);
}

const Graph& body(const Node& node, std::size_t argument) {
  const auto* subgraph = node.arg(argument).get_if<Argument::Subgraph>();
  if (!subgraph || !subgraph->graph) fail(node, "argument " + std::to_string(argument) + " is no sub-graph");
  return *subgraph->graph;
}

// The values of a list argument; none when the node has no such argument.
Value::List operands(const Node& node, const HigherOrderContext& context, std::size_t argument) {
  Value::List values;
  if (argument >= node.args().size()) return values;
  const Argument::List* list = node.args()[argument].list();
  if (!list) fail(node, "argument " + std::to_string(argument) + " is no list");
  for (const Argument& item : *list) values.push_back(context.value_of(item));
  return values;
}

void append(Value::List& values, const Value::List& more) { values.insert(values.end(), more.begin(), more.end()); }

bool truth(const Node& node, const Value& value) {
  if (const Tensor* tensor = value.tensor()) return tensor->item() != 0;
  if (const auto* flag = std::get_if<bool>(&value.v)) return *flag;
  fail(node, "the predicate is neither a tensor nor a bool");
}

// What the node returns: a list, or one value where torch.export marked it so.
Value returned(const Node& node, Value::List values) {
  const bool single = node.is_hop_single_tensor_return.value_or(false) && values.size() == 1;
  return single ? std::move(values.front()) : Value(std::move(values));
}

// cond(predicate, true body, false body, operands)
Value run_cond(const Node& node, const HigherOrderContext& context) {
  const bool chosen = truth(node, context.value_of(node.arg(0)));
  return returned(node, context.run_body(body(node, chosen ? 1 : 2), operands(node, context, 3)));
}

// wrap_with_set_grad_enabled(enabled, body, operands...)
Value run_set_grad_enabled(const Node& node, const HigherOrderContext& context) {
  Value::List values;
  for (std::size_t i = 2; i < node.args().size(); ++i) values.push_back(context.value_of(node.args()[i]));
  return returned(node, context.run_body(body(node, 1), std::move(values)));
}

// while_loop(condition, body, carried, additional): while condition(carried..., additional...) holds, the body's
// results are what is carried.
Value run_while_loop(const Node& node, const HigherOrderContext& context) {
  Value::List carried = operands(node, context, 2);
  const Value::List additional = operands(node, context, 3);
  const auto run = [&](std::size_t argument) {
    Value::List inputs = carried;
    append(inputs, additional);
    return context.run_body(body(node, argument), std::move(inputs));
  };
  while (true) {
    const Value::List condition = run(0);
    if (condition.size() != 1) fail(node, "the condition has " + std::to_string(condition.size()) + " results");
    if (!truth(node, condition.front())) break;
    Value::List next = run(1);
    if (next.size() != carried.size())
      fail(node,
           "the body returns " + std::to_string(next.size()) + " values and carries " + std::to_string(carried.size()));
    carried = std::move(next);
  }
  return returned(node, std::move(carried));
}

// Element `i` of every tensor along dimension 0, that dimension dropped.
Value::List elements(const Node& node, const Value::List& sequences, std::int64_t i) {
  Value::List result;
  for (const Value& value : sequences) {
    const Tensor& tensor = *value.tensor();
    if (tensor.size(0) <= i) fail(node, "the sequences differ in length");
    const Tensor row = tensor.narrow(0, i, 1);
    result.emplace_back(row.as_strided(Shape(row.sizes().begin() + 1, row.sizes().end()),
                                       Shape(row.strides().begin() + 1, row.strides().end()), row.storage_offset()));
  }
  return result;
}

std::int64_t length_of(const Node& node, const Value::List& sequences) {
  if (sequences.empty()) fail(node, "a sequence to walk along expected");
  for (const Value& value : sequences)
    if (!value.tensor() || value.tensor()->dim() == 0) fail(node, "sequences must be tensors with dimensions");
  const std::int64_t length = sequences.front().tensor()->size(0);
  if (length == 0) fail(node, "a walk along a sequence of length 0 is not supported");
  return length;
}

// Results of all steps, each stacked along a new dimension 0.
class Stacks {
 public:
  Stacks(const Node& node, std::int64_t length) : node_(node), length_(length) {}

  void put(std::int64_t step, std::span<const Value> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Tensor* tensor = values[i].tensor();
      if (!tensor) fail(node_, "a body that returns something else than tensors is not supported");
      Shape sizes = tensor->sizes();
      sizes.insert(sizes.begin(), length_);
      if (step == 0) stacked_.emplace_back(Tensor::empty(tensor->dtype(), sizes));
      if (i >= stacked_.size() || stacked_[i].tensor()->sizes() != sizes)
        fail(node_, "the body's results differ in size from step to step");
      sizes.front() = 1;
      stacked_[i].tensor()->narrow(0, step, 1).copy_from(tensor->reshape(sizes));
    }
  }
  Value::List take() { return std::move(stacked_); }

 private:
  const Node& node_;
  std::int64_t length_;
  Value::List stacked_;
};

// scan(body, initial, sequences, additional): body(carried..., elements..., additional...) returns what is carried and
// one more element of each result. The last of what was carried comes first in the results.
Value run_scan(const Node& node, const HigherOrderContext& context) {
  Value::List carried = operands(node, context, 1);
  const Value::List sequences = operands(node, context, 2);
  const Value::List additional = operands(node, context, 3);
  const std::int64_t length = length_of(node, sequences);
  Stacks stacks(node, length);
  for (std::int64_t i = 0; i < length; ++i) {
    Value::List inputs = carried;
    append(inputs, elements(node, sequences, i));
    append(inputs, additional);
    const Value::List values = context.run_body(body(node, 0), std::move(inputs));
    if (values.size() < carried.size()) fail(node, "the body returns fewer values than are carried");
    stacks.put(i, std::span(values).subspan(carried.size()));
    carried.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(carried.size()));
  }
  append(carried, stacks.take());
  return returned(node, std::move(carried));
}

// map_impl(body, sequences, additional): body(elements..., additional...) for each element.
Value run_map(const Node& node, const HigherOrderContext& context) {
  const Value::List sequences = operands(node, context, 1);
  const Value::List additional = operands(node, context, 2);
  const std::int64_t length = length_of(node, sequences);
  Stacks stacks(node, length);
  for (std::int64_t i = 0; i < length; ++i) {
    Value::List inputs = elements(node, sequences, i);
    append(inputs, additional);
    stacks.put(i, context.run_body(body(node, 0), std::move(inputs)));
  }
  return returned(node, stacks.take());
}

// out_dtype(operator, dtype, arguments...)
Value run_out_dtype(const Node& node, const HigherOrderContext& context) {
  const OutDtype bound = bind_out_dtype(node, context.value_of);
  if (!has_kernel(bound.call.schema().target))
    throw UnsupportedOpError("[run] " + node.describe() + ": no reference kernel for " + bound.call.schema().target);
  return evaluate(bound.call).at(0).tensor()->to(bound.dtype);
}

using Run = Value (*)(const Node&, const HigherOrderContext&);
const std::unordered_map<std::string_view, Run>& table() {
  static const std::unordered_map<std::string_view, Run> the_table = {
      {"higher_order.cond", run_cond},
      {kOutDtype, run_out_dtype},
      {"higher_order.while_loop", run_while_loop},
      {"higher_order.scan", run_scan},
      {"higher_order.map_impl", run_map},
      {"higher_order.wrap_with_set_grad_enabled", run_set_grad_enabled},
  };
  return the_table;
}

}  // namespace

bool is_run_higher_order(std::string_view target) { return table().contains(target); }

Value run_higher_order(const Node& node, const HigherOrderContext& context) {
  return table().at(node.target())(node, context);
}

}  // namespace qdq
