#include "formats/pt2/write_values.h"

#include "formats/pt2/schema.h"
#include "qdq/error.h"

namespace qdq::pt2 {
namespace {

constexpr std::array<std::string_view, 5> kSections = {"tensor_values", "sym_int_values", "sym_float_values",
                                                       "sym_bool_values", "custom_obj_values"};

void write_sym_int(json::Writer& json, const SymInt& value) {
  json.begin_object();
  if (!value.is_symbolic()) {
    json.member("as_int", value.value);
  } else {
    json.key("as_expr").begin_object().member("expr_str", value.expr).key("hint");
    if (value.has_hint)
      json.begin_object().member("as_int", value.value).end();
    else
      json.null();
    json.end();
  }
  json.end();
}

void write_sym_ints(json::Writer& json, const std::vector<SymInt>& values) {
  json.begin_array();
  for (const SymInt& value : values) write_sym_int(json, value);
  json.end();
}

// A bool or float: `literal(hint)` writes the number. An empty expression means that the hint is the value.
template <typename T, typename Literal>
void write_symbolic(json::Writer& json, const T& value, std::string_view tag, Literal&& literal) {
  json.begin_object();
  if (value.expr.empty()) {
    json.key(tag);
    literal(value.hint.value_or(0));
  } else {
    json.key("as_expr").begin_object().member("expr_str", value.expr).key("hint");
    if (value.hint) {
      json.begin_object().key(tag);
      literal(*value.hint);
      json.end();
    } else {
      json.null();
    }
    json.end();
  }
  json.end();
}

void write_custom_object(json::Writer& json, std::string_view name, const ValueType::CustomObject& object) {
  json.begin_object().member("name", name).member("class_fqn", object.class_fqn).end();
}

}  // namespace

void write_device(json::Writer& json, const Device& device) {
  json.begin_object().member("type", device.type).key("index");
  if (device.index)
    json.integer(*device.index);
  else
    json.null();
  json.end();
}

void write_tensor_meta(json::Writer& json, const TensorMeta& meta) {
  json.begin_object().member("dtype", scalar_type(meta.dtype)).key("sizes");
  write_sym_ints(json, meta.sizes);
  json.member("requires_grad", meta.requires_grad).key("device");
  write_device(json, meta.device);
  json.key("strides");
  write_sym_ints(json, meta.strides);
  json.key("storage_offset");
  write_sym_int(json, meta.storage_offset);
  json.member("layout", layout_number(meta.layout)).end();
}

void write_reference(json::Writer& json, std::string_view name, const ValueType& type) {
  json.begin_object();
  if (const auto* object = std::get_if<ValueType::CustomObject>(&type.v)) {
    json.key("as_custom_obj");
    write_custom_object(json, name, *object);
  } else {
    std::string_view tag = "as_tensor";
    if (std::holds_alternative<ValueType::SymIntValue>(type.v)) tag = "as_sym_int";
    if (std::holds_alternative<ValueType::SymFloatValue>(type.v)) tag = "as_sym_float";
    if (std::holds_alternative<ValueType::SymBoolValue>(type.v)) tag = "as_sym_bool";
    json.key(tag).begin_object().member(tag == "as_tensor" ? "name" : "as_name", name).end();
  }
  json.end();
}

ValueSections::ValueSections() {
  for (json::Writer& section : sections_) section.begin_object();
}

void ValueSections::add(std::string_view name, const ValueType& type) {
  if (const auto* meta = type.tensor()) {
    write_tensor_meta(sections_[0].key(name), *meta);
  } else if (const auto* integer = std::get_if<ValueType::SymIntValue>(&type.v)) {
    write_sym_int(sections_[1].key(name), integer->value);
  } else if (const auto* real = std::get_if<ValueType::SymFloatValue>(&type.v)) {
    json::Writer& json = sections_[2].key(name);
    write_symbolic(json, *real, "as_float", [&](double value) { json.number(value); });
  } else if (const auto* boolean = std::get_if<ValueType::SymBoolValue>(&type.v)) {
    json::Writer& json = sections_[3].key(name);
    write_symbolic(json, *boolean, "as_bool", [&](bool value) { json.boolean(value); });
  } else if (const auto* object = std::get_if<ValueType::CustomObject>(&type.v)) {
    write_custom_object(sections_[4].key(name), name, *object);
  } else {
    throw InternalError("a value section for a list or an unknown type");
  }
}

void ValueSections::write_to(json::Writer& json) {
  for (std::size_t i = 0; i < sections_.size(); ++i) json.key(kSections[i]).raw(std::move(sections_[i].end()));
}

}  // namespace qdq::pt2
