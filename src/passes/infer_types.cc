#include "passes/infer_types.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph/symbol_text.h"
#include "ops/out_dtype.h"
#include "ops/schema.h"

namespace qdq {
namespace {

// Numbers that stand for symbolic sizes while a shape rule runs. Two sets of them: a size that comes out the same with
// both is a number, one that comes out as the same stand-in of each is that symbol, and any other was computed.
class StandIns {
 public:
  explicit StandIns(std::int64_t first) : first_(first) {}

  std::int64_t of(const SymInt& size) {
    if (!size.is_symbolic()) return size.value;
    const auto [at, is_new] = index_.try_emplace(size.expr, symbols_.size());
    if (is_new) symbols_.push_back(size);
    return first_ + 2 * static_cast<std::int64_t>(at->second);
  }
  const SymInt* symbol_of(std::int64_t stand_in) const {
    const std::int64_t index = (stand_in - first_) / 2;
    const bool is_one =
        stand_in >= first_ && index < static_cast<std::int64_t>(symbols_.size()) && stand_in == first_ + 2 * index;
    return is_one ? &symbols_[static_cast<std::size_t>(index)] : nullptr;
  }

 private:
  std::int64_t first_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<SymInt> symbols_;
};

std::optional<Value> meta_value_of(const ValueType& type, StandIns& stand_ins) {
  if (const auto* list = type.list()) {
    Value::List items;
    for (const ValueType& item : *list) {
      auto value = meta_value_of(item, stand_ins);
      if (!value) return std::nullopt;
      items.push_back(std::move(*value));
    }
    return Value(std::move(items));
  }
  const TensorMeta* meta = type.tensor();
  if (!meta) return std::nullopt;
  Shape sizes;
  for (const SymInt& size : meta->sizes) sizes.push_back(stand_ins.of(size));
  return Value(Tensor::meta(meta->dtype, sizes));
}

// Nothing for a node of unknown type.
std::optional<Value> value_of(const Argument& argument, StandIns& stand_ins) {
  if (const Node* node = argument.node()) return meta_value_of(node->type, stand_ins);
  if (const auto* number = argument.get_if<std::int64_t>()) return Value(*number);
  if (const auto* number = argument.get_if<double>()) return Value(*number);
  if (const auto* flag = argument.get_if<bool>()) return Value(*flag);
  if (const auto* list = argument.list()) {
    Value::List items;
    for (const Argument& item : *list) {
      auto value = value_of(item, stand_ins);
      if (!value) return std::nullopt;
      items.push_back(std::move(*value));
    }
    return Value(std::move(items));
  }
  return Value();
}

struct UnknownInput {};

// The results by the operator's shape rule. Throws UnknownInput, or InvalidArgumentError where the rule does not hold.
std::vector<Value> infer(const Node& node, StandIns& stand_ins) {
  if (node.is(kOutDtype)) {
    const OutDtype bound = bind_out_dtype(node, [&](const Argument& argument) {
      auto value = value_of(argument, stand_ins);
      if (!value) throw UnknownInput();
      return *value;
    });
    if (!bound.call.schema().infer) throw UnknownInput();
    const std::vector<Value> results = bound.call.schema().infer(bound.call);
    return {Value(Tensor::meta(bound.dtype, results.at(0).tensor()->sizes()))};
  }
  if (node.is("operator.getitem")) {
    const auto value = value_of(node.arg(0), stand_ins);
    const auto* index = node.arg(1).get_if<std::int64_t>();
    const Value::List* items = value ? value->list() : nullptr;
    if (!items || !index || *index < 0 || *index >= static_cast<std::int64_t>(items->size())) throw UnknownInput();
    return {(*items)[static_cast<std::size_t>(*index)]};
  }
  const OpSchema* schema = find_schema(node.target());
  if (!schema || !schema->infer) throw UnknownInput();
  return schema->infer(bind(node, *schema, [&](const Node& input) {
    auto value = meta_value_of(input.type, stand_ins);
    if (!value) throw UnknownInput();
    return *value;
  }));
}

std::optional<TensorMeta> tensor_type(const Value& value, const Value& other, const StandIns& first,
                                      const StandIns& second) {
  const Tensor *a = value.tensor(), *b = other.tensor();
  if (!a || !b || a->dim() != b->dim()) return std::nullopt;
  TensorMeta meta;
  meta.dtype = a->dtype();
  for (std::int64_t d = 0; d < a->dim(); ++d) {
    if (a->size(d) == b->size(d)) {
      meta.sizes.emplace_back(a->size(d));
      continue;
    }
    const SymInt *x = first.symbol_of(a->size(d)), *y = second.symbol_of(b->size(d));
    if (!x || !y || *x != *y) return std::nullopt;
    meta.sizes.push_back(*x);
  }
  meta.strides = text::default_strides(meta.sizes);
  if (meta.strides.size() != meta.sizes.size()) return std::nullopt;
  for (std::size_t d = 0; d < meta.strides.size(); ++d)
    if (a->strides()[d] == b->strides()[d]) meta.strides[d] = a->strides()[d];
  return meta;
}

std::optional<ValueType> infer_type(const Node& node) {
  StandIns first((std::int64_t{1} << 20) + 1), second((std::int64_t{1} << 21) + 1);
  std::vector<Value> one, two;
  try {
    one = infer(node, first);
    two = infer(node, second);
  } catch (const UnknownInput&) {
    return std::nullopt;
  } catch (const InvalidArgumentError&) {
    return std::nullopt;
  }
  if (one.empty() || one.size() != two.size()) return std::nullopt;
  ValueType::List types;
  for (std::size_t i = 0; i < one.size(); ++i) {
    auto meta = tensor_type(one[i], two[i], first, second);
    if (!meta) return std::nullopt;
    types.emplace_back().v = std::move(*meta);
  }
  if (types.size() == 1) return types[0];
  ValueType type;
  type.v = std::move(types);
  return type;
}

}  // namespace

int infer_types(Graph& graph) {
  int inferred = 0;
  for (Node& node : graph.nodes()) {
    if (node.kind() != NodeKind::call_function || node.type.known()) continue;
    auto type = infer_type(node);
    if (!type) continue;
    node.type = std::move(*type);
    ++inferred;
  }
  return inferred;
}

}  // namespace qdq
