#include "formats/pt2/read_program.h"

#include "formats/pt2/read_graph.h"
#include "formats/pt2/schema.h"

namespace qdq::pt2 {
namespace {

// Constant inputs: Python literals. (A name would be a value of the graph.)
Argument read_literal(json::Element element, const Scope& scope) {
  const auto [tag, value] = json::single(element);
  for (std::string_view literal : {"as_none", "as_int", "as_float", "as_string", "as_bool"})
    if (tag == literal) return read_argument(element, scope);
  json::fail("expected a literal, found '" + std::string(tag) + "'");
}

// The graph and the configuration both describe a lifted tensor.
void check_agreement(const TensorMeta& type, const Tensor& value) {
  bool agree = type.dtype == value.dtype() && type.sizes.size() == value.sizes().size();
  for (std::size_t d = 0; agree && d < type.sizes.size(); ++d)
    agree = type.sizes[d].is_symbolic() || type.sizes[d].value == value.sizes()[d];
  if (!agree)
    json::fail("the graph's type of this tensor contradicts the stored one, " + std::string(name(value.dtype())) + " " +
               to_string(value.sizes()));
}

std::string_view name_member(json::Element element) { return json::string(json::field(json::object(element), "name")); }

// Pairs the inputs of the graph with the input specs of the signature and turns them into placeholders, get_attr nodes
// and attributes.
class InputReader {
 public:
  InputReader(Program& program, const ValueTable& values, Scope& scope, const TensorOf& tensor_of)
      : program_(program), values_(values), scope_(scope), tensor_of_(tensor_of) {}

  void read(json::Element input, json::Element spec) {
    const auto [tag, value] = json::single(input);
    tag_ = tag;
    input_ = value;
    const auto [kind, body] = json::single(spec);
    const json::Object object = json::object(body);
    if (kind == "user_input")
      user_input(input, json::field(object, "arg"));
    else if (kind == "constant_input")
      constant_input(object);
    else if (kind == "parameter")
      lifted(object, AttributeKind::parameter, "parameter_name");
    else if (kind == "buffer")
      lifted(object, AttributeKind::buffer, "buffer_name");
    else if (kind == "tensor_constant")
      lifted(object, AttributeKind::constant, "tensor_constant_name");
    else if (kind == "custom_obj")
      lifted(object, AttributeKind::custom_obj, "custom_obj_name");
    else if (kind == "token")
      token(object);
    else
      json::fail("unknown kind of input '" + std::string(kind) + "'");
  }

  // torch names the get_attr nodes when all other names are taken.
  void name_lifted_nodes() {
    for (Node* node : lifted_) program_.graph().rename_after_target(*node);
  }

 private:
  Node& define(NodeKind kind, std::string_view target, std::string_view expected_name) {
    if (!names_a_value(tag_))
      json::fail("the signature expects a tensor here, the graph's input is '" + std::string(tag_) + "'");
    Produced produced = read_produced(tag_, input_, values_);
    if (produced.name != expected_name)
      json::fail("the signature calls this input '" + std::string(expected_name) + "', the graph '" +
                 std::string(produced.name) + "'");
    Node& node =
        create_named(program_.graph(), kind, kind == NodeKind::get_attr ? target : produced.name, {}, produced.name);
    node.type = std::move(produced.type);
    scope_.define(produced.name, node);
    return node;
  }

  void user_input(json::Element input, json::Element arg) {
    const auto [tag, value] = json::single(arg);
    if (!names_a_value(tag)) {
      program_.inputs.push_back({InputSpec::Kind::constant_input, "", read_literal(input, scope_)});
      return;
    }
    const bool symbolic = tag != "as_tensor" && tag != "as_custom_obj";
    const std::string_view name = json::string(json::field(json::object(value), symbolic ? "as_name" : "name"));
    program_.inputs.push_back({InputSpec::Kind::user_input, define(NodeKind::placeholder, name, name).name(), {}});
  }

  void constant_input(json::Object object) {
    const json::Element value = json::field(object, "value");
    program_.inputs.push_back(
        {InputSpec::Kind::constant_input, std::string(json::string(json::field(object, "name"))),
         json::within([] { return std::string(".value"); }, [&] { return read_literal(value, scope_); })});
  }

  void token(json::Object object) {
    const std::string_view name = name_member(json::field(object, "arg"));
    program_.inputs.push_back({InputSpec::Kind::token, define(NodeKind::placeholder, name, name).name(), {}});
  }

  void lifted(json::Object object, AttributeKind kind, std::string_view name_key) {
    Attribute attribute;
    attribute.kind = kind;
    attribute.name = json::at(object, name_key, json::string);
    if (attribute.name.empty()) json::fail("the name of the tensor is empty");
    attribute.lifted_name = json::at(object, "arg", name_member);
    if (kind == AttributeKind::buffer) attribute.persistent = json::at(object, "persistent", json::boolean);
    if (kind != AttributeKind::custom_obj) {
      const bool in_state = kind == AttributeKind::parameter || (kind == AttributeKind::buffer && attribute.persistent);
      Payload payload = tensor_of_(attribute.name, in_state);
      attribute.value = std::move(payload.value);
      attribute.requires_grad = payload.requires_grad;
    }
    const std::string_view expected = kind == AttributeKind::custom_obj ? "as_custom_obj" : "as_tensor";
    if (tag_ != expected)
      json::fail("expected '" + std::string(expected) + "' as the graph's input, found '" + std::string(tag_) + "'");
    Node& node = define(NodeKind::get_attr, attribute.name, attribute.lifted_name);
    if (const TensorMeta* type = node.type.tensor()) check_agreement(*type, attribute.value);
    lifted_.push_back(&node);
    if (program_.attributes.contains(attribute.name))
      json::fail("a second input has the name '" + attribute.name + "'");
    program_.attributes.add(std::move(attribute));
  }

  Program& program_;
  const ValueTable& values_;
  Scope& scope_;
  const TensorOf& tensor_of_;
  std::vector<Node*> lifted_;
  std::string_view tag_;
  json::Element input_;
};

struct OutputRow {
  std::string_view tag;
  OutputSpec::Kind kind;
  std::string_view target_key;  // of the member that names what is written; "" for none
};
constexpr OutputRow kOutputs[] = {
    {"user_output", OutputSpec::Kind::user_output, ""},
    {"loss_output", OutputSpec::Kind::loss_output, ""},
    {"buffer_mutation", OutputSpec::Kind::buffer_mutation, "buffer_name"},
    {"user_input_mutation", OutputSpec::Kind::user_input_mutation, "user_input_name"},
    {"parameter_mutation", OutputSpec::Kind::parameter_mutation, "parameter_name"},
    {"gradient_to_parameter", OutputSpec::Kind::gradient_to_parameter, "parameter_name"},
    {"gradient_to_user_input", OutputSpec::Kind::gradient_to_user_input, "user_input_name"},
    {"token", OutputSpec::Kind::token, ""},
};

OutputSpec read_output_spec(json::Element element, const Argument& result, const Scope& scope) {
  const auto [tag, body] = json::single(element);
  for (const OutputRow& row : kOutputs) {
    if (row.tag != tag) continue;
    const json::Object object = json::object(body);
    // The argument is a union for user outputs, else {"name": ...}.
    const json::Element arg = json::field(object, "arg");
    const Argument named = row.kind == OutputSpec::Kind::user_output ? read_argument(arg, scope)
                                                                     : Argument(scope.lookup(name_member(arg)));
    if (named.node() != result.node()) json::fail("signature and graph name two different results");
    OutputSpec spec{row.kind, ""};
    if (!row.target_key.empty()) spec.target = json::at(object, row.target_key, json::string);
    return spec;
  }
  json::fail("unknown kind of output '" + std::string(tag) + "'");
}

void check_mutation_target(const OutputSpec& spec, const Program& program) {
  const bool attribute =
      spec.kind == OutputSpec::Kind::buffer_mutation || spec.kind == OutputSpec::Kind::parameter_mutation;
  if (attribute && !program.attributes.contains(spec.target))
    json::fail("the program has no tensor '" + spec.target + "'");
  if (spec.kind == OutputSpec::Kind::user_input_mutation) {
    const Node* node = program.graph().find(spec.target);
    if (!node || node->kind() != NodeKind::placeholder) json::fail("the program has no input '" + spec.target + "'");
  }
}

void read_graph_module(json::Object module, Program& program, const TensorOf& tensor_of) {
  const json::Object graph = json::at(module, "graph", json::object);
  const json::Object signature = json::at(module, "signature", json::object);
  const ValueTable values = json::within([] { return std::string(".graph"); }, [&] { return ValueTable(graph); });
  Scope scope;
  InputReader inputs(program, values, scope, tensor_of);
  json::within([] { return std::string(".signature"); },
               [&] {
                 json::at(signature, "input_specs", [&](json::Element specs) {
                   const json::Array graph_inputs =
                       json::within([] { return std::string("<graph>"); },
                                    [&] { return json::array(json::field(graph, "inputs")); });
                   auto input = graph_inputs.begin();
                   json::each(specs, [&](json::Element spec) {
                     if (input == graph_inputs.end()) json::fail("the graph has fewer inputs than the signature");
                     inputs.read(*input, spec);
                     ++input;
                   });
                   if (input != graph_inputs.end()) json::fail("the graph has more inputs than the signature");
                 });
               });
  json::within([] { return std::string(".graph"); },
               [&] { read_nodes_and_outputs(graph, values, scope, program.graph()); });
  json::within([] { return std::string(".signature"); },
               [&] {
                 json::at(signature, "output_specs", [&](json::Element specs) {
                   const Argument::List& results = *program.graph().output_node()->arg(0).list();
                   json::each(specs, [&](json::Element spec) {
                     if (program.outputs.size() == results.size())
                       json::fail("the graph has fewer outputs than the signature");
                     program.outputs.push_back(read_output_spec(spec, results[program.outputs.size()], scope));
                     check_mutation_target(program.outputs.back(), program);
                   });
                   if (program.outputs.size() != results.size())
                     json::fail("the graph has more outputs than the signature");
                 });
               });
  inputs.name_lifted_nodes();
}

std::optional<std::int64_t> optional_integer(json::Object object, std::string_view name) {
  const auto value = json::find(object, name);
  if (!value) return std::nullopt;
  return json::within([&] { return json::member(name); }, [&] { return json::integer(*value); });
}

}  // namespace

Program read_program(json::Element root, const TensorOf& tensor_of) {
  const json::Object object = json::object(root);
  json::at(object, "schema_version", [](json::Element version) {
    const std::int64_t major = json::at(json::object(version), "major", json::integer);
    if (major != kSchemaMajor)
      json::fail("expected schema version " + std::to_string(kSchemaMajor) + ", found " + std::to_string(major) +
                 "; export the model again with a current torch");
  });
  Program program;
  const json::Object module = json::at(object, "graph_module", json::object);
  json::within([] { return std::string(".graph_module"); }, [&] { read_graph_module(module, program, tensor_of); });
  json::at(object, "range_constraints", [&](json::Element ranges) {
    for (const auto& [name, range] : json::object(ranges))
      json::within([key = name] { return json::member(key); },
                   [&, key = name, value = range] {
                     const json::Object bounds = json::object(value);
                     program.range_constraints[std::string(key)] = {optional_integer(bounds, "min_val"),
                                                                    optional_integer(bounds, "max_val")};
                   });
  });
  for (const auto& [name, value] : object)
    if (name != "graph_module" && name != "range_constraints")
      program.passthrough[std::string(name)] = simdjson::minify(value);
  for (const auto& [name, value] : module)
    if (name != "graph" && name != "signature") program.passthrough[std::string(name)] = simdjson::minify(value);
  return program;
}

}  // namespace qdq::pt2
