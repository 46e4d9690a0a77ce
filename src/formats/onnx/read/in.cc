#include <algorithm>

#include "formats/onnx/read/importer.h"
#include "tensor/quant_math.h"

namespace qdq::onnx {

std::int64_t In::integer(std::string_view name, std::int64_t otherwise) const {
  const InAttribute* attribute = node.find(name);
  return attribute ? attribute->i : otherwise;
}

double In::number(std::string_view name, double otherwise) const {
  const InAttribute* attribute = node.find(name);
  return attribute ? static_cast<double>(attribute->f) : otherwise;
}

std::string In::text(std::string_view name, std::string_view otherwise) const {
  const InAttribute* attribute = node.find(name);
  return std::string(attribute ? attribute->s : otherwise);
}

std::optional<Shape> In::ints(std::string_view name) const {
  const InAttribute* attribute = node.find(name);
  return attribute ? std::optional(attribute->ints) : std::nullopt;
}

ReadValue& In::value(std::size_t i) const {
  if (!has(i)) refuse("its input " + std::to_string(i) + " is missing");
  return importer_.value(node, node.inputs[i]);
}

Node& In::tensor(std::size_t i) const {
  value(i);
  return importer_.node(node, node.inputs[i]);
}

Argument In::optional(std::size_t i) const { return has(i) ? Argument(tensor(i)) : Argument(); }

const Tensor* In::constant(std::size_t i) const { return has(i) ? importer_.constant(value(i)) : nullptr; }

const Argument::List* In::sizes(std::size_t i) const { return has(i) ? importer_.ints(value(i)) : nullptr; }

const Argument::List& In::need_sizes(std::size_t i) const {
  const Argument::List* found = sizes(i);
  if (!found) refuse("its input " + std::to_string(i) + " has to be a constant or computed from sizes");
  return *found;
}

Shape In::known_ints(std::size_t i, std::string_view what) const {
  Shape values;
  for (const Argument& each : need_sizes(i)) {
    if (each.node()) refuse("its " + std::string(what) + " depend on the sizes of an input");
    values.push_back(each.to_int());
  }
  return values;
}

const Argument& In::need_size(std::size_t i, std::string_view what) const {
  const Argument::List& found = need_sizes(i);
  if (found.size() != 1) refuse("its " + std::string(what) + " is no single number");
  return found[0];
}

Argument In::known(std::size_t i, std::string_view what) const {
  const Tensor* value = constant(i);
  if (!value) {
    const Argument::List* numbers = sizes(i);
    if (numbers && numbers->size() == 1 && !numbers->front().node()) return numbers->front();
    refuse("its " + std::string(what) + " is computed");
  }
  if (value->numel() != 1) refuse("its " + std::string(what) + " is no single number");
  return number_of(*value);
}

double In::known_number(std::size_t i, double otherwise, std::string_view what) const {
  return has(i) ? known(i, what).to_double() : otherwise;
}

std::int64_t In::known_integer(std::size_t i, std::int64_t otherwise, std::string_view what) const {
  if (!has(i)) return otherwise;
  const Argument number = known(i, what);
  return number.get_if<double>() ? float_to_integer<std::int64_t>(number.to_double()) : number.to_int();
}

bool In::is_scalar(std::size_t i) const { return value(i).is_scalar; }

std::optional<Shape> In::attribute_or_input(std::string_view name, std::size_t i) const {
  if (auto values = ints(name)) return values;
  return has(i) ? std::optional(known_ints(i, name)) : std::nullopt;
}

const TensorMeta& In::type(const Node& value) const {
  const TensorMeta* type = value.type.tensor();
  if (!type) refuse("the sizes of '" + value.name() + "' depend on data, but it has to know how many there are");
  return *type;
}

const TensorMeta& In::type(std::size_t i) const { return type(tensor(i)); }

std::int64_t In::axis(std::int64_t value, std::int64_t rank) const {
  if (value < -rank || value >= std::max<std::int64_t>(rank, 1))
    refuse("axis " + std::to_string(value) + " of a tensor with " + std::to_string(rank) + " dimensions");
  return value < 0 ? value + rank : value;
}

const SymInt& In::size(const Node& value, std::int64_t dim) const {
  const std::vector<SymInt>& sizes = type(value).sizes;
  if (dim < 0 || static_cast<std::size_t>(dim) >= sizes.size())
    refuse("'" + value.name() + "' has " + std::to_string(sizes.size()) + " dimensions, it needs " +
           std::to_string(dim + 1) + " or more");
  return sizes[static_cast<std::size_t>(dim)];
}

Argument In::size_of(Node& value, std::int64_t dim) const {
  const SymInt& known = size(value, dim);
  return known.is_symbolic() ? Argument(call("aten.sym_size.int", {value, dim})) : Argument(known.value);
}

void In::result(Node& value, std::size_t i) const {
  ReadValue made;
  made.node = &value;
  result(std::move(made), i);
}

void In::result(ReadValue value, std::size_t i) const {
  if (i >= node.outputs.size() || node.outputs[i].empty()) return;
  // A call takes the name of the ONNX value, unless it has that of another.
  if (value.node && value.node->kind() == NodeKind::call_function && value.node == importer_.graph().last())
    importer_.graph().rename(*value.node, identifier(node.outputs[i]));
  importer_.set(node.outputs[i], std::move(value));
}

bool In::wants(std::size_t i) const {
  return i < node.outputs.size() && !node.outputs[i].empty() && importer_.uses(node.outputs[i]) > 0;
}

}  // namespace qdq::onnx
