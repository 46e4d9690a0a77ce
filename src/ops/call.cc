#include "ops/call.h"

#include <algorithm>

#include "ops/schema.h"

namespace qdq {

const Value& Call::arg(std::string_view name) const {
  for (std::size_t i = 0; i < schema_->args.size(); ++i)
    if (schema_->args[i].name == name) return args_[i];
  throw InternalError("operator '" + schema_->target + "' has no argument '" + std::string(name) + "'");
}

bool Call::has(std::string_view name) const {
  const bool declared = schema_->find_arg(name) != nullptr;
  return declared && !arg(name).is_none();
}

const Tensor& Call::tensor(std::string_view name) const {
  if (const Tensor* value = arg(name).tensor()) return *value;
  fail("argument '" + std::string(name) + "' is not a tensor");
}

Tensor Call::optional_tensor(std::string_view name) const { return has(name) ? tensor(name) : Tensor(); }

std::vector<Tensor> Call::tensors(std::string_view name) const {
  const Value::List* list = arg(name).list();
  if (!list) fail("argument '" + std::string(name) + "' is not a list of tensors");
  std::vector<Tensor> result;
  for (const Value& item : *list) {
    if (!item.tensor()) fail("argument '" + std::string(name) + "' is not a list of tensors");
    result.push_back(*item.tensor());
  }
  return result;
}

std::int64_t Call::integer(std::string_view name) const {
  const Value& value = arg(name);
  if (const auto* number = std::get_if<std::int64_t>(&value.v)) return *number;
  if (const auto* flag = std::get_if<bool>(&value.v)) return *flag ? 1 : 0;
  fail("argument '" + std::string(name) + "' is not an integer");
}

double Call::number(std::string_view name) const {
  const Value& value = arg(name);
  if (const auto* number = std::get_if<double>(&value.v)) return *number;
  return static_cast<double>(integer(name));
}

bool Call::boolean(std::string_view name) const { return integer(name) != 0; }

const std::string& Call::string(std::string_view name) const {
  if (const auto* text = std::get_if<std::string>(&arg(name).v)) return *text;
  fail("argument '" + std::string(name) + "' is not a string");
}

DType Call::dtype(std::string_view name, DType otherwise) const {
  if (!has(name)) return otherwise;
  if (const auto* dtype = std::get_if<DType>(&arg(name).v)) return *dtype;
  fail("argument '" + std::string(name) + "' is not a dtype");
}

Shape Call::ints(std::string_view name) const {
  const Value& value = arg(name);
  if (value.is_none()) return {};
  const Value::List* list = value.list();
  if (!list) return {integer(name)};
  Shape result;
  for (const Value& item : *list) {
    const auto* number = std::get_if<std::int64_t>(&item.v);
    if (!number) fail("argument '" + std::string(name) + "' is not a list of integers");
    result.push_back(*number);
  }
  return result;
}

Shape Call::ints(std::string_view name, std::size_t length) const {
  Shape result = ints(name);
  if (result.size() == 1) result.resize(length, result[0]);
  if (result.size() != length)
    fail("argument '" + std::string(name) + "' has " + std::to_string(result.size()) + " numbers, expected " +
         std::to_string(length));
  return result;
}

std::int64_t Call::dim(std::string_view name, std::int64_t rank) const {
  const std::int64_t wanted = integer(name);
  const std::int64_t limit = std::max<std::int64_t>(rank, 1);  // a 0-dim tensor takes dim 0 and -1
  if (wanted < -limit || wanted >= limit)
    fail("dimension " + std::to_string(wanted) + " of a tensor with " + std::to_string(rank) + " dimensions");
  return wanted < 0 ? wanted + limit : wanted;
}

void Call::fail(const std::string& why) const { throw InvalidArgumentError("[run] " + node_->describe() + ": " + why); }

}  // namespace qdq
