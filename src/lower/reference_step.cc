#include "lower/reference_step.h"

#include "ops/schema.h"
#include "reference/kernels.h"
#include "runtime/copy.h"

namespace qdq::lower {
namespace {

// `value` with every tensor replaced by fn(tensor).
template <typename Fn>
Value map_tensors(const Value& value, const Fn& fn) {
  if (const Tensor* tensor = value.tensor()) return tensor->defined() ? Value(fn(*tensor)) : value;
  if (const Value::List* list = value.list()) {
    Value::List mapped;
    for (const Value& item : *list) mapped.push_back(map_tensors(item, fn));
    return Value(std::move(mapped));
  }
  return value;
}

std::vector<Value> arguments_of(const Call& call) {
  std::vector<Value> args;
  for (const ArgSchema& arg : call.schema().args) args.push_back(call.arg(arg.name));
  return args;
}

std::vector<Tensor> tensors_in(const std::vector<Value>& values) {
  std::vector<Tensor> tensors;
  for (const Value& value : values)
    map_tensors(value, [&](const Tensor& tensor) {
      tensors.push_back(tensor);
      return tensor;
    });
  return tensors;
}

}  // namespace

Value as_one(const Call& call, std::vector<Value> values) {
  if (values.empty()) return {};
  if (call.schema().returns.size() == 1) return std::move(values[0]);
  return Value(Value::List(std::move(values)));
}

Value evaluate_now(const Call& call) { return as_one(call, evaluate(call)); }

std::optional<Value> emit_reference(const Call& call, Emitter& emitter) {
  if (!call.schema().infer || !has_kernel(call.schema().target)) return std::nullopt;
  const std::vector<Value> args = arguments_of(call);
  runtime::Step step;
  step.name = emitter.name();
  step.kind = "reference:" + call.schema().target;
  step.reads = tensors_in(args);

  // Results that share an argument's memory (in-place ops, views) are written through it; others get memory.
  std::vector<Value> results;
  std::vector<Tensor> fresh;
  for (const Value& inferred : call.schema().infer(call))
    results.push_back(map_tensors(inferred, [&](const Tensor& tensor) {
      if (tensor.storage()) return tensor;
      fresh.push_back(emitter.allocate(tensor.dtype(), tensor.sizes()));
      return fresh.back();
    }));
  step.writes = fresh;
  for (std::size_t i = 0; i < call.schema().args.size(); ++i)
    if (call.schema().args[i].is_written)
      for (const Tensor& tensor : tensors_in({args[i]})) step.writes.push_back(tensor);

  const std::size_t read_count = step.reads.size();
  const std::size_t fresh_count = fresh.size();
  step.bind = [&node = call.node(), &schema = call.schema(), args, read_count,
               fresh_count](std::span<const Tensor> operands) -> runtime::Kernel {
    std::size_t at = 0;
    std::vector<Value> bound;
    for (const Value& arg : args) bound.push_back(map_tensors(arg, [&](const Tensor&) { return operands[at++]; }));
    const std::vector<Tensor> outs(operands.begin() + static_cast<std::ptrdiff_t>(read_count),
                                   operands.begin() + static_cast<std::ptrdiff_t>(read_count + fresh_count));
    return [call = Call(node, schema, std::move(bound)), outs] {
      const std::vector<Tensor> values = tensors_in(evaluate(call));
      if (outs.empty()) return;
      if (values.size() != outs.size())
        throw InternalError("[run] " + call.node().describe() +
                            ": the reference kernel gave another number of results than planned");
      for (std::size_t i = 0; i < outs.size(); ++i) runtime::copy(values[i], outs[i]);
    };
  };
  emitter.emit(std::move(step));
  return as_one(call, std::move(results));
}

}  // namespace qdq::lower
