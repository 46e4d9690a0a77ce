#include <algorithm>

#include "formats/onnx/schema.h"
#include "formats/onnx/write/emitter.h"
#include "qdq/error.h"

namespace qdq::onnx {

const Argument& Op::argument(std::string_view wanted) const {
  const OpSchema& schema = call.schema();
  for (std::size_t i = 0; i < schema.args.size(); ++i) {
    if (schema.args[i].name != wanted) continue;
    if (i < node.args().size()) return node.args()[i];
    const Argument* given = node.kwarg(wanted);
    return given ? *given : schema.args[i].default_value;
  }
  throw InternalError("'" + schema.target + "' has no argument '" + std::string(wanted) + "'");
}

const TensorMeta& Op::result(std::size_t i) const {
  const TensorMeta* type = node.type.tensor();
  if (const ValueType::List* list = node.type.list()) type = i < list->size() ? (*list)[i].tensor() : nullptr;
  if (!type) refuse("the type of its result is not known");
  return *type;
}

const std::vector<SymInt>& Op::sizes(std::string_view name) const {
  const Node* producer = argument(name).node();
  const TensorMeta* type = producer ? producer->type.tensor() : nullptr;
  if (!type) refuse("argument '" + std::string(name) + "' is no tensor of known type");
  return type->sizes;
}

Name Op::in(std::string_view name) const {
  const Argument& given = argument(name);
  if (given.is_none()) return "";
  if (!given.node()) refuse("argument '" + std::string(name) + "' is no tensor");
  return emitter_.names_of(*given.node()).at(0);
}

Name Op::in_as(std::string_view name, DType dtype) const { return value(argument(name), dtype); }

Names Op::all_in(std::string_view name) const {
  const Argument::List* list = argument(name).list();
  if (!list) {
    if (const Node* producer = argument(name).node()) return emitter_.names_of(*producer);
    refuse("argument '" + std::string(name) + "' is no list of tensors");
  }
  Names names;
  for (const Argument& item : *list) names.push_back(item.node() ? emitter_.names_of(*item.node()).at(0) : Name());
  return names;
}

Name Op::value(const Argument& given, DType wanted) const {
  const Node* producer = given.node();
  if (!producer) {
    if (given.get_if<std::int64_t>() || given.get_if<double>() || given.get_if<bool>())
      return number(given.to_double(), wanted);
    refuse("an argument is neither a tensor nor a number");
  }
  const Name name = emitter_.names_of(*producer).at(0);
  if (const TensorMeta* type = producer->type.tensor()) return type->dtype == wanted ? name : cast(name, wanted);
  const Name scalar = squeeze(name, {0});  // symbolic numbers are int64[1] or double[1]
  const bool is_int = std::holds_alternative<ValueType::SymIntValue>(producer->type.v);
  return is_int && wanted == DType::int64 ? scalar : cast(scalar, wanted);
}

Name Op::size(const Argument& given) const {
  if (const Node* producer = given.node()) return emitter_.names_of(*producer).at(0);
  return ints({given.to_int()});
}

Name Op::size_list(const Argument::List& sizes) const {
  const auto is_number = [](const Argument& size) { return size.node() == nullptr; };
  if (std::all_of(sizes.begin(), sizes.end(), is_number)) {
    Shape values;
    for (const Argument& size : sizes) values.push_back(size.to_int());
    return ints(values);
  }
  Names parts;
  for (const Argument& each : sizes) parts.push_back(size(each));
  return parts.size() == 1 ? parts[0] : emit("Concat", parts, {{"axis", std::int64_t{0}}});
}

Name Op::size_list(const std::vector<SymInt>& sizes, const Name& tensor) const {
  Shape values;
  for (const SymInt& size : sizes) {
    if (size.is_symbolic()) return emit("Shape", {tensor});
    values.push_back(size.value);
  }
  return ints(values);
}

const Tensor* Op::attribute(std::string_view name) const {
  const Node* producer = argument(name).node();
  if (!producer || producer->kind() != NodeKind::get_attr) return nullptr;
  return &emitter_.program().tensor_of(*producer);
}

Name Op::emit(std::string_view op, Names inputs, NodeAttributes attributes) const {
  return emitter_.add(op, std::move(inputs), 1, std::move(attributes))[0];
}

Names Op::emit_many(std::string_view op, Names inputs, std::size_t outputs, NodeAttributes attributes) const {
  return emitter_.add(op, std::move(inputs), outputs, std::move(attributes));
}

Name Op::number(double value, DType dtype) const {
  if (!data_type(dtype)) refuse("ONNX has no " + std::string(qdq::name(dtype)));
  return emitter_.constant(Tensor::full(dtype, {}, value));
}

Name Op::ints(const Shape& values) const {
  return emitter_.constant(Tensor::from(std::span(values), {static_cast<std::int64_t>(values.size())}));
}

Name Op::cast(const Name& value, DType to) const {
  const auto type = data_type(to);
  if (!type) refuse("ONNX has no " + std::string(qdq::name(to)));
  NodeAttributes attributes{{"to", std::int64_t{*type}}};
  if (is_floating_point(to) && element_size(to) == 1) {
    need_opset(19, "float8");
    // What is too large becomes infinity in torch where there is one, the largest number in float8_e4m3fn.
    if (to != DType::float8_e4m3fn) attributes.emplace_back("saturate", std::int64_t{0});
  }
  return emit("Cast", {value}, std::move(attributes));
}

Name Op::reshape(const Name& value, const Shape& sizes) const { return emit("Reshape", {value, ints(sizes)}); }

Name Op::transpose(const Name& value, const Shape& order) const {
  return std::is_sorted(order.begin(), order.end()) ? value : emit("Transpose", {value}, {{"perm", order}});
}

Name Op::squeeze(const Name& value, const Shape& dims) const {
  return dims.empty() ? value : emit("Squeeze", {value, ints(dims)});
}

Name Op::unsqueeze(const Name& value, const Shape& dims) const {
  return dims.empty() ? value : emit("Unsqueeze", {value, ints(dims)});
}

Name Op::reduce(std::string_view op, const Name& value, const Shape& dims, bool keepdim) const {
  NodeAttributes attributes{{"keepdims", std::int64_t{keepdim}}};
  if (opset() >= 18 || op == "ReduceSum") return emit(op, {value, ints(dims)}, attributes);
  attributes.emplace_back("axes", dims);
  return emit(op, {value}, attributes);
}

void Op::refuse(const std::string& why) const { onnx::refuse(node, why); }

void Op::need_opset(std::int64_t version, std::string_view what) const {
  if (opset() < version)
    refuse(std::string(what) + " came with opset " + std::to_string(version) + ", asked for was " +
           std::to_string(opset()) + "; --opset " + std::to_string(version) + " or newer can say it");
}

}  // namespace qdq::onnx
