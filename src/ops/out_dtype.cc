#include "ops/out_dtype.h"

#include <string>
#include <utility>
#include <vector>

#include "ops/promotion.h"
#include "ops/schema.h"

namespace qdq {

OutDtype bind_out_dtype(const Node& node, const std::function<Value(const Argument&)>& value_of) {
  const auto refuse = [&](const std::string& why) {
    throw InvalidArgumentError("[bind] " + node.describe() + ": " + why);
  };
  if (node.args().size() < 2 || !node.kwargs().empty()) refuse("an operator, a dtype and its arguments expected");
  const auto* op = node.arg(0).get_if<Argument::Operator>();
  const auto* dtype = node.arg(1).get_if<DType>();
  if (!op || !dtype) refuse("an operator and a dtype expected");
  const OpSchema* schema = find_schema(op->target);
  if (!schema || schema->returns.size() != 1) refuse("the operator " + op->target + " is not known");
  if (node.args().size() - 2 != schema->args.size())
    refuse(std::to_string(node.args().size() - 2) + " arguments for " + schema->text);
  std::vector<Value> values;
  for (std::size_t i = 2; i < node.args().size(); ++i) values.push_back(value_of(node.args()[i]));
  std::vector<Value> operands = {Value(Tensor::meta(*dtype, {1}))};
  for (const Value& value : values)
    if (value.tensor() || std::holds_alternative<double>(value.v) || std::holds_alternative<std::int64_t>(value.v))
      operands.push_back(value);
  const DType promoted = result_type(operands);
  for (Value& value : values)
    if (const Tensor* tensor = value.tensor())
      value = tensor->is_meta() ? Tensor::meta(promoted, tensor->sizes()) : tensor->to(promoted);
  return {Call(node, *schema, std::move(values)), *dtype};
}

}  // namespace qdq
