#include <algorithm>

#include "formats/pt2/schema.h"
#include "formats/pt2/write_graph.h"

namespace qdq::pt2 {
namespace {

// What the items of a list are, as far as the choice of the list's tag depends on it.
enum : unsigned {
  kNone = 1 << 0,
  kTensor = 1 << 1,
  kSymInt = 1 << 2,
  kSymFloat = 1 << 3,
  kSymBool = 1 << 4,
  kInt = 1 << 5,
  kFloat = 1 << 6,
  kBool = 1 << 7,
  kString = 1 << 8,
  kList = 1 << 9,
  kOther = 1 << 10,
};
constexpr unsigned kAnyNode = kTensor | kSymInt | kSymFloat | kSymBool;

unsigned kind_of(const Argument& argument) {
  if (const Node* node = argument.node()) {
    if (std::holds_alternative<ValueType::SymIntValue>(node->type.v)) return kSymInt;
    if (std::holds_alternative<ValueType::SymFloatValue>(node->type.v)) return kSymFloat;
    if (std::holds_alternative<ValueType::SymBoolValue>(node->type.v)) return kSymBool;
    return kTensor;
  }
  if (argument.is_none()) return kNone;
  if (argument.get_if<std::int64_t>()) return kInt;
  if (argument.get_if<double>()) return kFloat;
  if (argument.get_if<bool>()) return kBool;
  if (argument.get_if<std::string>()) return kString;
  return argument.list() ? kList : kOther;
}

unsigned kinds_of(const Argument::List& list) {
  unsigned kinds = 0;
  for (const Argument& item : list) kinds |= kind_of(item);
  return kinds;
}

// True when `kinds` are all among `allowed`.
bool only(unsigned kinds, unsigned allowed) { return (kinds & ~allowed) == 0; }

std::string_view tag_of_empty_list(std::string_view type) {
  if (type.starts_with("bool")) return "as_bools";
  if (type.starts_with("int") || type.starts_with("SymInt")) return "as_ints";
  if (type.starts_with("float")) return "as_floats";
  if (type.starts_with("str")) return "as_strings";
  return "as_tensors";  // what torch writes when it does not know
}

void write_literal(json::Writer& json, const Argument& argument) {
  if (const auto* integer = argument.get_if<std::int64_t>()) json.integer(*integer);
  if (const auto* real = argument.get_if<double>()) json.number(*real);
  if (const auto* boolean = argument.get_if<bool>()) json.boolean(*boolean);
  if (const auto* text = argument.get_if<std::string>()) json.string(*text);
}

std::string_view literal_tag(unsigned kind) {
  return kind == kInt ? "as_int" : kind == kFloat ? "as_float" : kind == kBool ? "as_bool" : "as_string";
}

}  // namespace

void GraphWriter::write_list(json::Writer& json, const Node& user, const Argument::List& list,
                             std::string_view type) const {
  const unsigned kinds = kinds_of(list);
  auto names = [&](const Argument::List& nodes) {
    for (const Argument& item : nodes) json.begin_object().member("name", name_of(*item.node())).end();
  };
  auto literals = [&](const Argument::List& items) {
    for (const Argument& item : items) write_literal(json, item);
  };
  // SymIntArgument and its siblings: a name or a literal.
  auto symbols = [&] {
    for (const Argument& item : list) {
      json.begin_object();
      if (const Node* node = item.node())
        json.member("as_name", name_of(*node));
      else
        write_literal(json.key(literal_tag(kind_of(item))), item);
      json.end();
    }
  };
  // A list of lists, all of whose items are of the kinds `allowed`.
  auto inner_lists = [&](unsigned allowed) {
    return kinds == kList && std::all_of(list.begin(), list.end(),
                                         [&](const Argument& item) { return only(kinds_of(*item.list()), allowed); });
  };
  auto nested = [&](auto&& write_inner) {
    for (const Argument& item : list) {
      json.begin_array();
      write_inner(*item.list());
      json.end();
    }
  };
  auto write = [&](std::string_view tag, auto&& items) {
    json.begin_object().key(tag).begin_array();
    items();
    json.end().end();
  };
  auto as_literals = [&] { literals(list); };

  // The order is that of torch's serializer: the first tag that fits.
  if (list.empty()) return write(tag_of_empty_list(type), [] {});
  if (kinds == kBool) return write("as_bools", as_literals);
  if (kinds == kInt) return write("as_ints", as_literals);
  if (kinds == kFloat) return write("as_floats", as_literals);
  if (kinds == kString) return write("as_strings", as_literals);
  if (only(kinds, kInt | kSymInt)) return write("as_sym_ints", symbols);
  if (only(kinds, kFloat | kSymFloat)) return write("as_sym_floats", symbols);
  if (only(kinds, kBool | kSymBool)) return write("as_sym_bools", symbols);
  if (only(kinds, kAnyNode)) return write("as_tensors", [&] { names(list); });
  if (inner_lists(kAnyNode)) return write("as_nested_tensors", [&] { nested(names); });
  if (inner_lists(kInt)) return write("as_int_lists", [&] { nested(literals); });
  if (inner_lists(kFloat)) return write("as_float_lists", [&] { nested(literals); });
  if (only(kinds, kTensor | kNone))
    return write("as_optional_tensors", [&] {
      for (const Argument& item : list) write_argument(json, user, item);
    });
  fail_saving(user, "the format has no list that mixes these kinds of items");
}

void GraphWriter::write_argument(json::Writer& json, const Node& user, const Argument& argument,
                                 std::string_view type) const {
  if (const Node* node = argument.node()) return write_reference_to(json, *node);
  if (const auto* list = argument.list()) return write_list(json, user, *list, type);
  json.begin_object();
  if (argument.is_none()) {
    json.member("as_none", true);
  } else if (const unsigned kind = kind_of(argument); kind != kOther) {
    write_literal(json.key(literal_tag(kind)), argument);
  } else if (const auto* dtype = argument.get_if<DType>()) {
    json.member("as_scalar_type", scalar_type(*dtype));
  } else if (const auto* layout = argument.get_if<Layout>()) {
    json.member("as_layout", layout_number(*layout));
  } else if (const auto* format = argument.get_if<MemoryFormat>()) {
    json.member("as_memory_format", memory_format_number(*format));
  } else if (const auto* device = argument.get_if<Device>()) {
    write_device(json.key("as_device"), *device);
  } else if (const auto* complex = argument.get_if<std::complex<double>>()) {
    json.key("as_complex").begin_object().key("real").number(complex->real()).key("imag").number(complex->imag()).end();
  } else if (const auto* dict = argument.get_if<Argument::Dict>()) {
    json.key("as_string_to_argument").begin_object();
    for (const auto& [key, value] : *dict) write_argument(json.key(key), user, value);
    json.end();
  } else if (const auto* op = argument.get_if<Argument::Operator>()) {
    json.member("as_operator", target_to_file(op->target));
  } else if (const auto* opaque = argument.get_if<Argument::Opaque>()) {
    json.key(opaque->kind).raw(opaque->json);
  } else if (const auto* subgraph = argument.get_if<Argument::Subgraph>()) {
    GraphWriter body(*subgraph->graph);
    json::Writer inputs;
    inputs.begin_array();
    for (const Node* placeholder : subgraph->graph->placeholders()) body.add_placeholder(inputs, *placeholder);
    json.key("as_graph").begin_object().member("name", subgraph->name).key("graph").begin_object();
    body.write(json, std::move(inputs.end()));
    json.end().end();
  } else {
    fail_saving(user, "the format has no argument of this kind");
  }
  json.end();
}

}  // namespace qdq::pt2
