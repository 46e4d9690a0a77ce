#include <functional>

#include "formats/pt2/read_graph.h"
#include "formats/pt2/schema.h"

namespace qdq::pt2 {
namespace {

using Reader = Argument (*)(json::Element, const Scope&);

template <typename T>
Argument wrap(T value) {
  return Argument(Argument::Variant(std::move(value)));
}

std::string_view name_of(json::Element element) { return json::string(json::field(json::object(element), "name")); }

Argument read_named(json::Element element, const Scope& scope) { return Argument(scope.lookup(name_of(element))); }

// SymIntArgument, SymFloatArgument, SymBoolArgument: a name, or a literal among names.
Argument read_symbolic(json::Element element, const Scope& scope) {
  const auto [tag, value] = json::single(element);
  if (tag == "as_name") return Argument(scope.lookup(json::string(value)));
  if (tag == "as_int") return Argument(json::integer(value));
  if (tag == "as_float") return Argument(json::number(value));
  if (tag == "as_bool") return Argument(json::boolean(value));
  json::fail("expected 'as_name' or a literal, found '" + std::string(tag) + "'");
}

Argument read_optional_tensor(json::Element element, const Scope& scope) {
  const auto [tag, value] = json::single(element);
  if (tag == "as_none") return Argument();
  if (tag == "as_tensor") return read_named(value, scope);
  json::fail("expected 'as_tensor' or 'as_none', found '" + std::string(tag) + "'");
}

Argument read_int(json::Element element, const Scope&) { return Argument(json::integer(element)); }
Argument read_float(json::Element element, const Scope&) { return Argument(json::number(element)); }
Argument read_bool(json::Element element, const Scope&) { return Argument(json::boolean(element)); }
Argument read_string(json::Element element, const Scope&) { return Argument(std::string(json::string(element))); }

template <Reader item>
Argument read_list(json::Element element, const Scope& scope) {
  Argument::List list;
  json::each(element, [&](json::Element child) { list.push_back(item(child, scope)); });
  return Argument(std::move(list));
}

// A number that we have no name for is carried, not refused: only running it would need its meaning.
template <auto decode>
Argument read_enum(json::Element element, const char* tag) {
  if (const auto value = decode(json::integer(element))) return wrap(*value);
  return wrap(Argument::Opaque{tag, std::string(simdjson::minify(element))});
}
Argument read_dtype(json::Element element, const Scope&) {
  return read_enum<dtype_from_scalar_type>(element, "as_scalar_type");
}
Argument read_layout(json::Element element, const Scope&) {
  return read_enum<layout_from_number>(element, "as_layout");
}
Argument read_memory_format(json::Element element, const Scope&) {
  return read_enum<memory_format_from_number>(element, "as_memory_format");
}
Argument read_device_argument(json::Element element, const Scope&) { return wrap(read_device(element)); }

Argument read_complex(json::Element element, const Scope&) {
  const json::Object object = json::object(element);
  return wrap(
      std::complex<double>(json::number(json::field(object, "real")), json::number(json::field(object, "imag"))));
}

Argument read_operator(json::Element element, const Scope&) {
  const std::string_view text = json::string(element);
  if (auto target = target_from_file(text)) return wrap(Argument::Operator{std::move(*target)});
  json::fail("expected an operator, found '" + std::string(text) + "'");
}

Argument read_dict(json::Element element, const Scope& scope) {
  Argument::Dict dict;
  for (const auto& item : json::object(element))
    json::within([&] { return json::member(item.key); },
                 [&] { dict.emplace_back(std::string(item.key), read_argument(item.value, scope)); });
  return wrap(std::move(dict));
}

// A custom object is an input of the program, or a constant that only torch can make sense of.
Argument read_custom_object(json::Element element, const Scope& scope) {
  if (Node* node = scope.find(name_of(element))) return Argument(node);
  return wrap(Argument::Opaque{"as_custom_obj", std::string(simdjson::minify(element))});
}

// Inputs of a body: values that the higher-order op passes in. A literal is kept as the placeholder's default.
void read_body_input(std::size_t index, json::Element element, const ValueTable& values, Scope& scope, Graph& graph) {
  const auto [tag, value] = json::single(element);
  if (names_a_value(tag)) {
    Produced produced = read_produced(tag, value, values);
    Node& node = create_named(graph, NodeKind::placeholder, produced.name, {}, produced.name);
    node.type = std::move(produced.type);
    scope.define(produced.name, node);
  } else {
    Argument literal = read_argument(element, scope);
    if (literal.list() || literal.get_if<Argument::Dict>())
      json::fail("expected a value or a literal as the input of a body");
    const std::string name = "arg" + std::to_string(index);
    graph.create(NodeKind::placeholder, name, {std::move(literal)}, {}, name);
  }
}

Argument read_subgraph(json::Element element, const Scope&) {
  const json::Object object = json::object(element);
  Argument::Subgraph subgraph;
  subgraph.name = json::string(json::field(object, "name"));
  subgraph.graph = std::make_shared<Graph>();
  json::at(object, "graph", [&](json::Element body) {
    const json::Object json = json::object(body);
    const ValueTable values(json);
    Scope scope;
    std::size_t index = 0;
    json::at(json, "inputs", [&](json::Element inputs) {
      json::each(inputs, [&](json::Element input) { read_body_input(index++, input, values, scope, *subgraph.graph); });
    });
    read_nodes_and_outputs(json, values, scope, *subgraph.graph);
  });
  return wrap(std::move(subgraph));
}

struct Row {
  std::string_view tag;
  Reader read;
};

constexpr Row kReaders[] = {
    {"as_tensor", read_named},
    {"as_none", [](json::Element, const Scope&) { return Argument(); }},
    {"as_int", read_int},
    {"as_ints", read_list<read_int>},
    {"as_float", read_float},
    {"as_bool", read_bool},
    {"as_tensors", read_list<read_named>},
    {"as_sym_int", read_symbolic},
    {"as_sym_ints", read_list<read_symbolic>},
    {"as_scalar_type", read_dtype},
    {"as_memory_format", read_memory_format},
    {"as_layout", read_layout},
    {"as_device", read_device_argument},
    {"as_string", read_string},
    {"as_strings", read_list<read_string>},
    {"as_floats", read_list<read_float>},
    {"as_bools", read_list<read_bool>},
    {"as_sym_bool", read_symbolic},
    {"as_sym_bools", read_list<read_symbolic>},
    {"as_sym_float", read_symbolic},
    {"as_sym_floats", read_list<read_symbolic>},
    {"as_optional_tensor", read_optional_tensor},
    {"as_optional_tensors", read_list<read_optional_tensor>},
    {"as_graph", read_subgraph},
    {"as_custom_obj", read_custom_object},
    {"as_operator", read_operator},
    {"as_complex", read_complex},
    {"as_nested_tensors", read_list<read_list<read_named>>},
    {"as_int_lists", read_list<read_list<read_int>>},
    {"as_float_lists", read_list<read_list<read_float>>},
    {"as_string_to_argument", read_dict},
};

}  // namespace

Argument read_argument(json::Element element, const Scope& scope) {
  const auto [tag, value] = json::single(element);
  for (const Row& row : kReaders)
    if (row.tag == tag)
      return json::within([tag = tag] { return json::member(tag); },
                          [&, value = value] { return row.read(value, scope); });
  json::fail("unknown kind of argument '" + std::string(tag) + "'");
}

}  // namespace qdq::pt2
