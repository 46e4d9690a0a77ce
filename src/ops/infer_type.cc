#include "ops/infer_type.h"

#include <algorithm>

#include "graph/symbol_text.h"
#include "ops/out_dtype.h"
#include "ops/schema.h"

namespace qdq {
namespace {

// Stand-ins are primes times a number that strides, halvings and heads divide.
constexpr std::int64_t kUnit = 64 * 3;    // small, for products of several have to fit 63 bits
constexpr std::size_t kFirstPrime = 4;    // 11
constexpr std::size_t kSecondPrime = 11;  // 37

std::int64_t nth_prime(std::size_t n) {
  std::vector<std::int64_t> primes;
  for (std::int64_t candidate = 2; primes.size() <= n; ++candidate)
    if (std::none_of(primes.begin(), primes.end(), [&](std::int64_t p) { return candidate % p == 0; }))
      primes.push_back(candidate);
  return primes[n];
}

// Arithmetic on sizes, which has no shape rule; nothing for anything else. Sizes are not negative.
std::optional<std::int64_t> size_arithmetic(std::string_view target, std::int64_t a, std::int64_t b) {
  if (target == "_operator.add") return a + b;
  if (target == "_operator.sub") return a - b;
  if (target == "_operator.mul") return a * b;
  if (target == "_operator.floordiv") return b == 0 ? std::nullopt : std::optional(a / b);
  if (target == "_operator.mod") return b == 0 ? std::nullopt : std::optional(a % b);
  if (target == "torch.sym_max") return std::max(a, b);
  if (target == "torch.sym_min") return std::min(a, b);
  return std::nullopt;
}

}  // namespace

TypeInference::Pair TypeInference::stand_ins(const SymInt& size) {
  if (!size.is_symbolic()) return {size.value, size.value};
  const auto [at, is_new] = stand_ins_.try_emplace(size.expr);
  if (is_new) {
    at->second = {kUnit * nth_prime(kFirstPrime + num_primes_), kUnit * nth_prime(kSecondPrime + num_primes_)};
    ++num_primes_;
    sizes_.emplace(at->second, size);
  }
  return at->second;
}

std::int64_t TypeInference::stand_in(const SymInt& size, Side side) {
  const Pair both = stand_ins(size);
  return side == Side::first ? both.first : both.second;
}

std::optional<Value> TypeInference::meta_value(const ValueType& type, Side side) {
  if (const auto* list = type.list()) {
    Value::List items;
    for (const ValueType& item : *list) {
      auto value = meta_value(item, side);
      if (!value) return std::nullopt;
      items.push_back(std::move(*value));
    }
    return Value(std::move(items));
  }
  if (const auto* number = std::get_if<ValueType::SymIntValue>(&type.v)) return Value(stand_in(number->value, side));
  const TensorMeta* meta = type.tensor();
  if (!meta) return std::nullopt;
  Shape sizes;
  for (const SymInt& size : meta->sizes) sizes.push_back(stand_in(size, side));
  return Value(Tensor::meta(meta->dtype, sizes));
}

std::optional<Value> TypeInference::value_of(const Argument& argument, Side side) {
  if (const Node* node = argument.node()) return meta_value(node->type, side);
  if (const auto* number = argument.get_if<std::int64_t>()) return Value(*number);
  if (const auto* number = argument.get_if<double>()) return Value(*number);
  if (const auto* flag = argument.get_if<bool>()) return Value(*flag);
  if (const auto* list = argument.list()) {
    Value::List items;
    for (const Argument& item : *list) {
      auto value = value_of(item, side);
      if (!value) return std::nullopt;
      items.push_back(std::move(*value));
    }
    return Value(std::move(items));
  }
  return Value();
}

Value TypeInference::known(std::optional<Value> value) const {
  if (!value) throw UnknownInput();
  return std::move(*value);
}

std::vector<Value> TypeInference::infer(const Node& node, Side side) {
  if (node.is(kOutDtype)) {
    const OutDtype bound =
        bind_out_dtype(node, [&](const Argument& argument) { return known(value_of(argument, side)); });
    if (!bound.call.schema().infer) throw UnknownInput();
    const std::vector<Value> results = bound.call.schema().infer(bound.call);
    return {Value(Tensor::meta(bound.dtype, results.at(0).tensor()->sizes()))};
  }
  if (node.is("operator.getitem")) {
    const Value list = known(value_of(node.arg(0), side));
    const auto* index = node.arg(1).get_if<std::int64_t>();
    if (!list.list() || !index || *index < 0 || *index >= static_cast<std::int64_t>(list.list()->size()))
      throw UnknownInput();
    return {(*list.list())[static_cast<std::size_t>(*index)]};
  }
  const OpSchema* schema = find_schema(node.target());
  if (schema && !schema->infer && node.args().size() == 2) {
    const Value a = known(value_of(node.arg(0), side)), b = known(value_of(node.arg(1), side));
    const auto *x = std::get_if<std::int64_t>(&a.v), *y = std::get_if<std::int64_t>(&b.v);
    const auto result = x && y ? size_arithmetic(node.target(), *x, *y) : std::nullopt;
    if (!result) throw UnknownInput();
    return {Value(*result)};
  }
  if (!schema || !schema->infer) throw UnknownInput();
  return schema->infer(bind(node, *schema, [&](const Node& input) { return known(meta_value(input.type, side)); }));
}

std::optional<Call> TypeInference::call_of(const Node& node, const OpSchema& schema) {
  try {
    return bind(node, schema, [&](const Node& input) { return known(meta_value(input.type, Side::first)); });
  } catch (const UnknownInput&) {
    return std::nullopt;
  }
}

std::optional<SymInt> TypeInference::size_of(Pair sizes) {
  if (sizes.first == sizes.second) return SymInt(sizes.first);
  if (const auto found = sizes_.find(sizes); found != sizes_.end()) return found->second;
  if (computed_ == Computed::unknown) return std::nullopt;
  SymInt size = computed(sizes);
  stand_ins_.emplace(size.expr, sizes);
  sizes_.emplace(sizes, size);
  return size;
}

SymInt TypeInference::computed(Pair sizes) {
  const auto integer = [](std::int64_t number) { return "Integer(" + std::to_string(number) + ")"; };
  for (const auto& known : sizes_) {
    const SymInt& symbol = known.second;
    if (!symbol.expr.starts_with("Symbol(")) continue;
    const std::int64_t first = known.first.first, second = known.first.second;
    const auto hinted = [&](std::string expr, auto&& fn) {
      return SymInt::symbolic(std::move(expr), symbol.has_hint ? std::optional(fn(symbol.value)) : std::nullopt);
    };
    const std::int64_t factor = sizes.first / first;
    if (factor > 1 && sizes.first == factor * first && sizes.second == factor * second)
      return hinted("Mul(" + integer(factor) + ", " + symbol.expr + ")", [&](std::int64_t n) { return factor * n; });
    if (sizes.first - first == sizes.second - second)
      return hinted("Add(" + symbol.expr + ", " + integer(sizes.first - first) + ")",
                    [&](std::int64_t n) { return n + sizes.first - first; });
  }
  std::string name;
  do name = "Symbol('u" + std::to_string(num_named_++) + "', integer=True)";
  while (stand_ins_.contains(name));
  return SymInt::symbolic(std::move(name), std::nullopt);
}

std::optional<ValueType> TypeInference::common_type(const Value& first, const Value& second) {
  ValueType type;
  if (const Value::List* items = first.list()) {
    ValueType::List types;
    for (std::size_t i = 0; i < items->size(); ++i) {
      auto item = common_type((*items)[i], second.list()->at(i));
      if (!item) return std::nullopt;
      types.push_back(std::move(*item));
    }
    type.v = std::move(types);
    return type;
  }
  if (const auto* number = std::get_if<std::int64_t>(&first.v)) {
    const auto size = size_of({*number, std::get<std::int64_t>(second.v)});
    if (!size) return std::nullopt;
    type.v = ValueType::SymIntValue{*size};
    return type;
  }
  const Tensor *a = first.tensor(), *b = second.tensor();
  if (!a || !b || a->dim() != b->dim()) return std::nullopt;
  TensorMeta meta;
  meta.dtype = a->dtype();
  for (std::int64_t d = 0; d < a->dim(); ++d) {
    auto size = size_of({a->size(d), b->size(d)});
    if (!size) return std::nullopt;
    meta.sizes.push_back(std::move(*size));
  }
  meta.strides = text::default_strides(meta.sizes);
  if (meta.strides.size() != meta.sizes.size()) {
    if (computed_ == Computed::unknown) return std::nullopt;
    meta.strides.clear();
    for (std::int64_t d = 0; d < a->dim(); ++d) {
      const auto at = static_cast<std::size_t>(d);
      meta.strides.push_back(*size_of({a->strides()[at], b->strides()[at]}));
    }
  }
  for (std::size_t d = 0; d < meta.strides.size(); ++d)
    if (a->strides()[d] == b->strides()[d]) meta.strides[d] = a->strides()[d];
  type.v = std::move(meta);
  return type;
}

std::optional<ValueType> TypeInference::checked_type_of(const Node& node) {
  std::vector<Value> one, two;
  try {
    one = infer(node, Side::first);
    two = infer(node, Side::second);
  } catch (const UnknownInput&) {
    return std::nullopt;
  }
  if (one.empty() || one.size() != two.size()) return std::nullopt;
  ValueType::List types;
  for (std::size_t i = 0; i < one.size(); ++i) {
    auto type = common_type(one[i], two[i]);
    if (!type) return std::nullopt;
    types.push_back(std::move(*type));
  }
  if (types.size() == 1) return types[0];
  ValueType type;
  type.v = std::move(types);
  return type;
}

std::optional<ValueType> TypeInference::type_of(const Node& node) {
  try {
    return checked_type_of(node);
  } catch (const InvalidArgumentError&) {
    return std::nullopt;
  }
}

}  // namespace qdq
