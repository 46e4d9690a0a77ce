// Sizes. Small integer tensors that are known, or computed from sizes, are numbers in an ATen graph:
//
//     Shape(x) -> Gather(0) -> Concat(., 64) -> Reshape(x, .)
//     %n = sym_size.int(%x, 0)  %y = reshape(%x, [%n, 64])
#include <algorithm>

#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

using Ints = ReadValue::Ints;

ReadValue value_of(Ints numbers, bool is_scalar) {
  ReadValue value;
  value.ints = std::move(numbers);
  value.is_scalar = is_scalar;
  return value;
}

void read_shape(const In& in) {
  Node& x = in.tensor(0);
  const std::int64_t rank = in.rank(0);
  const auto bound = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  Ints sizes;
  for (std::int64_t d = bound(in.integer("start", 0)); d < bound(in.integer("end", rank)); ++d)
    sizes.push_back(in.size_of(x, d));
  in.result(value_of(std::move(sizes), false));
}

Argument combined(const In& in, std::string_view op, const Argument& a, const Argument& b);

void read_size(const In& in) {
  Argument count(1);
  for (std::int64_t d = 0; d < in.rank(0); ++d) count = combined(in, "Mul", count, in.size_of(in.tensor(0), d));
  in.result(value_of({count}, true));
}

std::int64_t calculated(std::string_view op, std::int64_t a, std::int64_t b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return a / b;
  if (op == "Mod") return a % b;
  if (op == "Max") return std::max(a, b);
  return std::min(a, b);
}

std::string_view symbolic_target(std::string_view op) {
  if (op == "Add") return "_operator.add";
  if (op == "Sub") return "_operator.sub";
  if (op == "Mul") return "_operator.mul";
  if (op == "Div") return "_operator.floordiv";
  if (op == "Mod") return "_operator.mod";
  return op == "Max" ? "torch.sym_max" : "torch.sym_min";
}

Argument combined(const In& in, std::string_view op, const Argument& a, const Argument& b) {
  if (a.node() || b.node()) {
    if (op == "Mul" && a == Argument(1)) return b;
    if ((op == "Mul" || op == "Div") && b == Argument(1)) return a;
    return in.call(symbolic_target(op), {a, b});
  }
  const std::int64_t x = a.to_int(), y = b.to_int();
  constexpr std::int64_t kLarge = std::int64_t{1} << 31;  // beyond it a product could overflow
  const auto is_large = [](std::int64_t number) { return number > kLarge || number < -kLarge; };
  if (op != "Max" && op != "Min" && (is_large(x) || is_large(y))) in.refuse("arithmetic with sizes beyond 2^31");
  if ((op == "Div" || op == "Mod") && y == 0) in.refuse("a division by zero");
  return calculated(op, x, y);
}

bool is_arithmetic(std::string_view op) {
  static constexpr std::string_view ops[] = {"Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"};
  return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
}

// Broadcasts numbers of one dimension or none; nothing when they do not fit.
template <typename Fn>
std::optional<ReadValue> pairwise(const In& in, Fn&& fn) {
  const Ints a = in.need_sizes(0), b = in.need_sizes(1);
  if (a.size() != b.size() && a.size() != 1 && b.size() != 1) return std::nullopt;
  Ints result;
  const std::size_t count = a.size() == 1 ? b.size() : a.size();
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<Argument> each = fn(a[a.size() == 1 ? 0 : i], b[b.size() == 1 ? 0 : i]);
    if (!each) return std::nullopt;
    result.push_back(std::move(*each));
  }
  return value_of(std::move(result), in.is_scalar(0) && in.is_scalar(1));
}

// Of two numbers: what compares them or, as truth values, joins them.
std::optional<bool> decided(std::string_view op, std::int64_t a, std::int64_t b) {
  if (op == "Equal") return a == b;
  if (op == "Less") return a < b;
  if (op == "LessOrEqual") return a <= b;
  if (op == "Greater") return a > b;
  if (op == "GreaterOrEqual") return a >= b;
  if (op == "And") return a != 0 && b != 0;
  if (op == "Or") return a != 0 || b != 0;
  return std::nullopt;
}

std::optional<Argument> decided(std::string_view op, const Argument& a, const Argument& b) {
  if (!a.node() && !b.node()) {
    const auto result = decided(op, a.to_int(), b.to_int());
    return result ? std::optional(Argument(std::int64_t{*result})) : std::nullopt;
  }
  // A size is never negative, so it differs from -1.
  const Argument& literal = a.node() ? b : a;
  if (op == "Equal" && !literal.node() && literal.to_int() < 0) return Argument(0);
  return std::nullopt;
}

bool is_decision(std::string_view op) { return op == "Not" || decided(op, std::int64_t{0}, std::int64_t{0}); }

std::optional<ReadValue> negated(const In& in) {
  Ints result;
  for (const Argument& each : in.need_sizes(0)) {
    if (each.node()) return std::nullopt;
    result.push_back(std::int64_t{each.to_int() == 0});
  }
  return value_of(std::move(result), in.is_scalar(0));
}

// Of at most as many numbers as a tensor has dimensions.
std::optional<ReadValue> counted(const In& in) {
  constexpr std::int64_t kMost = 64;
  Shape numbers;  // start, limit, step
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    const Argument& each = in.need_size(i, "bound");
    if (each.node() || each.to_int() > kMost || each.to_int() < -kMost) return std::nullopt;
    numbers.push_back(each.to_int());
  }
  if (numbers[2] == 0) in.refuse("a step of zero");
  Ints result;
  for (std::int64_t at = numbers[0]; numbers[2] > 0 ? at < numbers[1] : at > numbers[1]; at += numbers[2])
    result.push_back(at);
  return value_of(std::move(result), false);
}

std::optional<ReadValue> gathered(const In& in) {
  const Ints all = in.need_sizes(0);
  Ints result;
  for (const std::int64_t index : in.known_ints(1, "indices")) {
    const auto count = static_cast<std::int64_t>(all.size());
    if (index < -count || index >= count)
      in.refuse("index " + std::to_string(index) + " of " + std::to_string(count) + " sizes");
    result.push_back(all[static_cast<std::size_t>(index < 0 ? index + count : index)]);
  }
  return value_of(std::move(result), in.is_scalar(1));
}

std::optional<ReadValue> sliced(const In& in) {
  const Ints all = in.need_sizes(0);
  const auto count = static_cast<std::int64_t>(all.size());
  const Shape starts = in.known_ints(1, "starts"), ends = in.known_ints(2, "ends");
  if (starts.size() != 1 || ends.size() != 1 || (in.has(4) && in.known_ints(4, "steps") != Shape{1}))
    return std::nullopt;
  const auto bound = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? std::max(at, -count) + count : at, 0, count);
  };
  Ints result;
  for (std::int64_t i = bound(starts[0]); i < bound(ends[0]); ++i) result.push_back(all[static_cast<std::size_t>(i)]);
  return value_of(std::move(result), false);
}

std::optional<ReadValue> chosen(const In& in) {
  const Ints condition = in.need_sizes(0), a = in.need_sizes(1), b = in.need_sizes(2);
  const std::size_t count = std::max({condition.size(), a.size(), b.size()});
  const auto at = [&](const Ints& list, std::size_t i) { return list[list.size() == 1 ? 0 : i]; };
  for (const Ints* list : {&condition, &a, &b})
    if (list->size() != 1 && list->size() != count) return std::nullopt;
  Ints result;
  for (std::size_t i = 0; i < count; ++i) {
    if (at(condition, i).node()) return std::nullopt;
    result.push_back(at(condition, i).to_int() != 0 ? at(a, i) : at(b, i));
  }
  return value_of(std::move(result), in.is_scalar(0) && in.is_scalar(1) && in.is_scalar(2));
}

std::optional<ReadValue> evaluated(const In& in) {
  const std::string_view op = in.node.op;
  const bool binary = in.num_inputs() == 2;
  if (is_arithmetic(op) && binary)
    return pairwise(in, [&](const Argument& a, const Argument& b) { return std::optional(combined(in, op, a, b)); });
  if (op == "Not") return negated(in);
  if (is_decision(op)) return pairwise(in, [&](const Argument& a, const Argument& b) { return decided(op, a, b); });
  if (op == "Range") return counted(in);
  if (op == "Where") return chosen(in);
  if (op == "Gather") return in.is_scalar(0) ? std::nullopt : gathered(in);
  if (op == "Slice") return sliced(in);
  if (op == "Neg") {
    Ints result;
    for (const Argument& each : in.need_sizes(0)) result.push_back(combined(in, "Mul", Argument(-1), each));
    return value_of(std::move(result), in.is_scalar(0));
  }
  if (op == "Concat") {
    Ints all;
    for (std::size_t i = 0; i < in.num_inputs(); ++i) {
      const Ints& part = in.need_sizes(i);
      if (in.is_scalar(i)) return std::nullopt;
      all.insert(all.end(), part.begin(), part.end());
    }
    return value_of(std::move(all), false);
  }
  if (op == "Cast") {
    const std::int64_t to = in.integer("to", 0);
    if (to != data_type(DType::int64) && to != data_type(DType::int32)) return std::nullopt;
    return value_of(in.need_sizes(0), in.is_scalar(0));
  }
  if (op == "Unsqueeze" || op == "Squeeze") {
    const Ints& numbers = in.need_sizes(0);
    const bool to_vector = op == "Unsqueeze" && in.is_scalar(0);
    const bool to_scalar = op == "Squeeze" && !in.is_scalar(0) && numbers.size() == 1;
    if (!to_vector && !to_scalar) return std::nullopt;
    return value_of(numbers, to_scalar);
  }
  if (op == "Reshape") {
    const Ints& numbers = in.need_sizes(0);
    const Shape sizes = in.known_ints(1, "sizes");
    const bool to_scalar = sizes.empty() && numbers.size() == 1;
    if (!to_scalar && sizes != Shape{-1} && sizes != Shape{static_cast<std::int64_t>(numbers.size())})
      return std::nullopt;
    return value_of(numbers, to_scalar);
  }
  if (op == "ReduceProd") {
    Argument product(1);
    for (const Argument& each : in.need_sizes(0)) product = combined(in, "Mul", product, each);
    return value_of({product}, in.integer("keepdims", 1) == 0);
  }
  if (op == "ConstantOfShape") {
    const InAttribute* value = in.node.find("value");
    if (!value || !value->t || dtype_from_data_type(value->t->data_type) != DType::int64) return std::nullopt;
    const Ints& sizes = in.need_sizes(0);
    if (sizes.size() != 1 || sizes[0].node() || sizes[0].to_int() < 0 || sizes[0].to_int() > 64) return std::nullopt;
    const Tensor number = in.importer().read(*value->t);
    if (number.numel() != 1) return std::nullopt;
    return value_of(Ints(static_cast<std::size_t>(sizes[0].to_int()), Argument(number.data<std::int64_t>()[0])), false);
  }
  return std::nullopt;
}

constexpr ReadRow kRows[] = {
    {"Shape", "sym_size", read_shape},
    {"Size", "sym_size, mul", read_size},
};

}  // namespace

bool read_as_sizes(const In& in) {
  if (in.num_inputs() == 0) return false;
  for (std::size_t i = 0; i < in.num_inputs(); ++i)
    if (!in.has(i) || !in.sizes(i)) return false;
  std::optional<ReadValue> value = evaluated(in);
  if (!value) return false;
  const auto dtype_of = [&](std::size_t i) { return in.importer().value(in.node, in.node.inputs[i]).ints_dtype; };
  const bool is_choice = in.node.op == "Where";
  value->ints_dtype = is_decision(in.node.op) ? DType::bool_ : dtype_of(is_choice ? 1 : 0);
  if (in.node.op == "Cast") value->ints_dtype = *dtype_from_data_type(static_cast<std::int32_t>(in.integer("to", 0)));
  in.result(std::move(*value));
  return true;
}

ReadFamily read_shape_ops() { return kRows; }

}  // namespace qdq::onnx
