#include "reference/inputs.h"

#include <map>
#include <optional>

#include "ops/schema.h"

namespace qdq {
namespace {

// The name in "Symbol('s77', positive=True, integer=True)" or a bare "s77"; nothing for a compound expression.
std::optional<std::string> symbol_name(const std::string& expr) {
  const std::string_view prefix = "Symbol('";
  if (expr.starts_with(prefix)) {
    const std::size_t end = expr.find('\'', prefix.size());
    if (end == std::string::npos || expr.find(')') != expr.size() - 1) return std::nullopt;
    return expr.substr(prefix.size(), end - prefix.size());
  }
  return expr.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == std::string::npos
             ? std::optional(expr)
             : std::nullopt;
}

class InputChecker {
 public:
  explicit InputChecker(const Program& program) : program_(program) {}

  Value check(const Node& placeholder, const Tensor& input) {
    const std::string who = "[run] input '" + placeholder.name() + "': ";
    if (!input.defined()) throw InvalidArgumentError(who + "it is undefined");
    if (const auto* number = std::get_if<ValueType::SymIntValue>(&placeholder.type.v)) {
      if (input.numel() != 1 || is_floating_point(input.dtype()))
        throw InvalidArgumentError(who + "one integer expected");
      const auto value = static_cast<std::int64_t>(input.item());
      check_size(who + "value", number->value, value);
      return value;
    }
    const TensorMeta* meta = placeholder.type.tensor();
    if (!meta) return input;
    if (plain_dtype(meta->dtype) != plain_dtype(input.dtype()))
      throw InvalidArgumentError(who + "dtype " + std::string(name(meta->dtype)) + " expected, found " +
                                 std::string(name(input.dtype())));
    if (meta->sizes.size() != input.sizes().size())
      throw InvalidArgumentError(who + std::to_string(meta->sizes.size()) + " dimensions expected, found sizes " +
                                 to_string(input.sizes()));
    for (std::size_t d = 0; d < meta->sizes.size(); ++d)
      check_size(who + "dimension " + std::to_string(d), meta->sizes[d], input.sizes()[d]);
    return input;
  }

 private:
  void check_size(const std::string& what, const SymInt& wanted, std::int64_t found) {
    if (!wanted.is_symbolic()) {
      if (wanted.value != found)
        throw InvalidArgumentError(what + ": " + std::to_string(wanted.value) + " expected, found " +
                                   std::to_string(found));
      return;
    }
    const auto symbol = symbol_name(wanted.expr);
    if (!symbol) return;  // the program's own assertions check what follows from an expression
    const auto [known, is_new] = values_.emplace(*symbol, found);
    if (known->second != found)
      throw InvalidArgumentError(what + ": the symbol " + *symbol + " is " + std::to_string(known->second) +
                                 " in another place, found " + std::to_string(found));
    const auto range = program_.range_constraints.find(*symbol);
    if (range == program_.range_constraints.end()) return;
    const auto& [low, high] = range->second;
    if ((low && found < *low) || (high && found > *high))
      throw InvalidArgumentError(what + ": " + std::to_string(found) + " is outside the range from " +
                                 (low ? std::to_string(*low) : "-inf") + " to " +
                                 (high ? std::to_string(*high) : "inf") + " of the symbol " + *symbol);
  }

  const Program& program_;
  std::map<std::string, std::int64_t> values_;
};

bool has_nan(const Tensor& tensor) {
  if (tensor.dtype() != DType::float32) return false;
  if (!tensor.is_contiguous() && !tensor.is_dense()) return has_nan(tensor.contiguous());
  const float* values = tensor.data<float>();
  const std::int64_t count = tensor.numel();
  // Nothing in the loop but what the compiler vectorises: no branch, no call.
  std::int32_t found = 0;
  for (std::int64_t i = 0; i < count; ++i) found |= static_cast<std::int32_t>(values[i] != values[i]);
  return found != 0;
}

Value constant_value(const InputSpec& spec) {
  const Argument& constant = spec.constant;
  if (const auto* number = constant.get_if<std::int64_t>()) return *number;
  if (const auto* number = constant.get_if<double>()) return *number;
  if (const auto* flag = constant.get_if<bool>()) return *flag;
  if (const auto* text = constant.get_if<std::string>()) return *text;
  return {};
}

}  // namespace

std::vector<Value> bind_inputs(const Program& program, const std::vector<Tensor>& inputs) {
  return bind_inputs(program, program.graph().placeholders(), inputs);
}

std::vector<Value> bind_inputs(const Program& program, std::span<Node* const> placeholders,
                               const std::vector<Tensor>& inputs) {
  const auto spec_of = [&](const Node& placeholder) -> const InputSpec* {
    for (const InputSpec& spec : program.inputs)
      if (spec.name == placeholder.name()) return &spec;
    return nullptr;
  };
  std::size_t expected = 0;
  for (const Node* placeholder : placeholders) {
    const InputSpec* spec = spec_of(*placeholder);
    expected += !spec || spec->kind == InputSpec::Kind::user_input;
  }
  if (inputs.size() != expected)
    throw InvalidArgumentError("[run] the program takes " + std::to_string(expected) + " inputs, found " +
                               std::to_string(inputs.size()));
  InputChecker checker(program);
  std::vector<Value> values;
  std::size_t next = 0;
  for (const Node* placeholder : placeholders) {
    const InputSpec* spec = spec_of(*placeholder);
    if (!spec || spec->kind == InputSpec::Kind::user_input)
      values.push_back(checker.check(*placeholder, inputs[next++]));
    else
      values.push_back(constant_value(*spec));
  }
  return values;
}

void refuse_nan(std::span<Node* const> placeholders, std::span<const Tensor> tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].defined() && has_nan(tensors[i]))
      throw InvalidArgumentError("[run] input '" + placeholders[i]->name() + "': it has a NaN");
}

}  // namespace qdq
