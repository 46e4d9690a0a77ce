#include "formats/pt2/read_values.h"

#include <array>

#include "formats/pt2/schema.h"

namespace qdq::pt2 {
namespace {

struct Section {
  const char* name;
  ValueTable::Kind kind;
};
constexpr std::array<Section, 5> kSections = {{{"tensor_values", ValueTable::Kind::tensor},
                                               {"sym_int_values", ValueTable::Kind::sym_int},
                                               {"sym_float_values", ValueTable::Kind::sym_float},
                                               {"sym_bool_values", ValueTable::Kind::sym_bool},
                                               {"custom_obj_values", ValueTable::Kind::custom_obj}}};

std::string expression(json::Element expr) {
  return std::string(json::string(json::field(json::object(expr), "expr_str")));
}

// The hint of a SymExpr decoded by `read`, nothing when there is none.
template <typename Read>
auto hint(json::Element expr, std::string_view tag, Read&& read) -> std::optional<decltype(read(expr))> {
  const auto value = json::find(json::object(expr), "hint");
  if (!value) return std::nullopt;
  const auto [found, payload] = json::single(*value);
  if (found != tag) json::fail("expected a hint '" + std::string(tag) + "', found '" + std::string(found) + "'");
  return read(payload);
}

[[noreturn]] void unknown(std::string_view what, std::string_view tag) {
  json::fail("expected " + std::string(what) + ", found '" + std::string(tag) + "'");
}

ValueType::SymBoolValue read_sym_bool(json::Element element) {
  const auto [tag, value] = json::single(element);
  if (tag == "as_bool") return {"", json::boolean(value)};
  if (tag != "as_expr") unknown("'as_expr' or 'as_bool'", tag);
  return {expression(value), hint(value, "as_bool", json::boolean)};
}

ValueType::SymFloatValue read_sym_float(json::Element element) {
  const auto [tag, value] = json::single(element);
  if (tag == "as_float") return {"", json::number(value)};
  if (tag != "as_expr") unknown("'as_expr' or 'as_float'", tag);
  return {expression(value), hint(value, "as_float", json::number)};
}

std::vector<SymInt> read_sym_ints(json::Element element) {
  std::vector<SymInt> result;
  json::each(element, [&](json::Element item) { result.push_back(read_sym_int(item)); });
  return result;
}

}  // namespace

SymInt read_sym_int(json::Element element) {
  const auto [tag, value] = json::single(element);
  if (tag == "as_int") return SymInt(json::integer(value));
  if (tag != "as_expr") unknown("'as_expr' or 'as_int'", tag);
  std::string expr = expression(value);
  if (expr.empty()) json::fail("expected an expression, found an empty string");
  return SymInt::symbolic(std::move(expr), hint(value, "as_int", json::integer));
}

Device read_device(json::Element element) {
  const json::Object object = json::object(element);
  Device device;
  device.type = json::string(json::field(object, "type"));
  if (const auto index = json::find(object, "index")) device.index = json::integer(*index);
  return device;
}

DType read_scalar_type(json::Element element) {
  const std::int64_t number = json::integer(element);
  if (const auto dtype = dtype_from_scalar_type(number)) return *dtype;
  json::fail("expected the number of a dtype, found " + std::to_string(number));
}

TensorMeta read_tensor_meta(json::Element element) {
  const json::Object object = json::object(element);
  TensorMeta meta;
  meta.dtype = json::at(object, "dtype", read_scalar_type);
  meta.sizes = json::at(object, "sizes", read_sym_ints);
  meta.strides = json::at(object, "strides", read_sym_ints);
  meta.storage_offset = json::at(object, "storage_offset", read_sym_int);
  meta.requires_grad = json::at(object, "requires_grad", json::boolean);
  meta.device = json::at(object, "device", read_device);
  meta.layout = json::at(object, "layout", [](json::Element number) {
    if (const auto layout = layout_from_number(json::integer(number))) return *layout;
    json::fail("expected the number of a layout, found " + json::describe(number));
  });
  if (meta.sizes.size() != meta.strides.size() && meta.layout == Layout::strided)
    json::fail(std::to_string(meta.sizes.size()) + " sizes but " + std::to_string(meta.strides.size()) + " strides");
  return meta;
}

ValueTable::ValueTable(json::Object graph) {
  for (const Section& section : kSections) {
    const auto values = json::find(graph, section.name);
    if (!values) continue;
    json::within([&] { return json::member(section.name); },
                 [&] {
                   const json::Object members = json::object(*values);
                   entries_.reserve(entries_.size() + members.size());
                   for (const auto& [name, element] : members)
                     if (!entries_.emplace(name, Entry{section.kind, element}).second)
                       json::fail("a second value has the name '" + std::string(name) + "'");
                 });
  }
}

ValueType ValueTable::type(std::string_view name, Kind kind) const {
  const char* section = kSections[static_cast<std::size_t>(kind)].name;
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.kind != kind)
    json::fail("'" + std::string(name) + "' is not in " + section);
  return json::within([&] { return "<" + std::string(section) + "." + std::string(name) + ">"; },
                      [&] {
                        const json::Element element = found->second.element;
                        ValueType type;
                        switch (kind) {
                          case Kind::tensor: type.v = read_tensor_meta(element); break;
                          case Kind::sym_int: type.v = ValueType::SymIntValue{read_sym_int(element)}; break;
                          case Kind::sym_float: type.v = read_sym_float(element); break;
                          case Kind::sym_bool: type.v = read_sym_bool(element); break;
                          case Kind::custom_obj:
                            type.v = ValueType::CustomObject{
                                std::string(json::string(json::field(json::object(element), "class_fqn")))};
                            break;
                        }
                        return type;
                      });
}

}  // namespace qdq::pt2
