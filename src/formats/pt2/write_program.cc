#include "formats/pt2/write_program.h"

#include <algorithm>
#include <array>

#include "base/flat_map.h"
#include "formats/pt2/schema.h"
#include "formats/pt2/write_graph.h"

namespace qdq::pt2 {
namespace {

// An attribute as an input of the file's graph.
struct LiftedInput {
  const Attribute* attribute;
  std::string name;
  ValueType type;
};

constexpr std::string_view lifted_prefix(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::parameter: return "p_";
    case AttributeKind::buffer: return "b_";
    case AttributeKind::constant: return "c_";
    case AttributeKind::custom_obj: return "obj_";
  }
  return "";
}

// torch's order of lifted inputs; the program's order within each.
int rank(AttributeKind kind) { return kind == AttributeKind::parameter ? 0 : kind == AttributeKind::buffer ? 1 : 2; }

std::string lifted_name(const Attribute& attribute, const FlatSet<std::string_view>& taken) {
  std::string name = attribute.lifted_name;
  if (name.empty()) {
    name = lifted_prefix(attribute.kind);
    for (char c : attribute.name) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  }
  std::string unique = name;
  for (std::int64_t i = 1; taken.contains(unique); ++i) unique = name + "_" + std::to_string(i);
  return unique;
}

// What the graph says of the input, corrected by the tensor as it is now.
ValueType lifted_type(const Attribute& attribute, const Node* reader) {
  ValueType type;
  if (attribute.kind == AttributeKind::custom_obj) {
    if (!reader || !std::holds_alternative<ValueType::CustomObject>(reader->type.v))
      throw FormatError("[save] the class of the custom object '" + attribute.name + "' is not known");
    return reader->type;
  }
  if (!attribute.value.defined() || attribute.value.is_meta())
    throw FormatError("[save] the tensor '" + attribute.name + "' has no data");
  TensorMeta meta = meta_of(attribute.value);
  if (const TensorMeta* known = reader ? reader->type.tensor() : nullptr) {
    meta.device = known->device;
    meta.storage_offset = known->storage_offset;
  }
  meta.requires_grad = attribute.requires_grad && (is_floating_point(meta.dtype) || is_complex(meta.dtype));
  type.v = std::move(meta);
  return type;
}

class ProgramWriter {
 public:
  ProgramWriter(const Program& program, json::TextBuffer text)
      : program_(program), graph_(program.graph()), writer_(graph_), json_(std::move(text)) {
    collect_lifted();
  }

  json::TextBuffer write() {
    json_.begin_object().key("graph_module").begin_object().key("graph").begin_object();
    write_graph();
    json_.end().key("signature").begin_object();
    write_signature();
    json_.end();
    for (const auto& [key, otherwise] : kModuleMembers) pass_through(key, otherwise);
    if (const auto* calls = passthrough("module_call_graph"))
      json_.key("module_call_graph").raw(*calls);
    else
      write_module_call_graph();
    json_.end().key("range_constraints").begin_object();
    for (const auto& [name, range] : program_.range_constraints) {
      json_.key(name).begin_object();
      write_bound("min_val", range.min);
      write_bound("max_val", range.max);
      json_.end();
    }
    json_.end();
    for (const auto& [key, otherwise] : kTopMembers) pass_through(key, otherwise);
    write_unknown_members();
    return json_.end().take();
  }

 private:
  using Member = std::pair<std::string_view, std::string_view>;  // name, and what a program without it gets
  static constexpr std::array<Member, 2> kModuleMembers = {{{"metadata", "{}"}, {"treespec_namedtuple_fields", "{}"}}};
  static constexpr std::array<Member, 5> kTopMembers = {{{"opset_version", R"({"aten":10})"},
                                                         {"schema_version", R"({"major":8,"minor":20})"},
                                                         {"verifiers", R"(["TRAINING"])"},
                                                         {"torch_version", R"("2.13.0")"},
                                                         {"guards_code", "[]"}}};

  const std::string* passthrough(std::string_view key) const {
    const auto found = program_.passthrough.find(std::string(key));
    return found == program_.passthrough.end() ? nullptr : &found->second;
  }

  void pass_through(std::string_view key, std::string_view otherwise) {
    const std::string* kept = passthrough(key);
    json_.key(key).raw(kept ? std::string_view(*kept) : otherwise);
  }

  // Members of later minor versions of the schema.
  void write_unknown_members() {
    auto is_known = [](std::string_view key) {
      auto named = [&](const Member& member) { return member.first == key; };
      return key == "module_call_graph" || std::any_of(kModuleMembers.begin(), kModuleMembers.end(), named) ||
             std::any_of(kTopMembers.begin(), kTopMembers.end(), named);
    };
    // A slash marks what is no member: pickles and extra files.
    for (const auto& [key, value] : program_.passthrough)
      if (!is_known(key) && key.find('/') == std::string::npos) json_.key(key).raw(value);
  }

  void write_bound(std::string_view name, std::optional<std::int64_t> bound) {
    json_.key(name);
    if (bound)
      json_.integer(*bound);
    else
      json_.null();
  }

  void collect_lifted() {
    FlatSet<std::string_view> taken;
    taken.reserve(graph_.size());
    FlatMap<std::string_view, const Node*> readers;
    readers.reserve(program_.attributes.size());
    for (const Node& node : graph_.nodes()) {
      if (node.kind() != NodeKind::get_attr) {
        taken.insert(node.name());
        continue;
      }
      if (!program_.attributes.contains(node.target())) fail_saving(node, "the program has no tensor of this name");
      readers.emplace(node.target(), &node);
    }
    std::vector<const Attribute*> attributes;
    attributes.reserve(program_.attributes.size());
    for (const Attribute& attribute : program_.attributes) attributes.push_back(&attribute);
    std::ranges::stable_sort(attributes, {}, [](const Attribute* attribute) { return rank(attribute->kind); });
    lifted_.reserve(attributes.size());  // the tables below look at the names where they are
    names_.reserve(attributes.size());
    for (const Attribute* attribute : attributes) {
      const auto reader = readers.find(attribute->name);
      const Node* node = reader == readers.end() ? nullptr : reader->second;
      lifted_.push_back({attribute, lifted_name(*attribute, taken), lifted_type(*attribute, node)});
      taken.insert(lifted_.back().name);
      names_[attribute->name] = lifted_.back().name;
    }
  }

  // fn for the inputs of one kind, in order. Constant inputs count as user inputs.
  template <typename Fn>
  void each_input(bool tokens, Fn&& fn) const {
    for (const InputSpec& input : program_.inputs)
      if ((input.kind == InputSpec::Kind::token) == tokens) fn(input);
  }

  const Node& placeholder(const InputSpec& input) const {
    const Node* node = graph_.find(input.name);
    if (!node || node->erased() || node->kind() != NodeKind::placeholder)
      throw FormatError("[save] the input '" + input.name + "' has no placeholder");
    return *node;
  }

  void write_graph() {
    for (const Node& node : graph_.nodes())
      if (node.kind() == NodeKind::get_attr) writer_.set_lifted_name(node, names_.at(node.target()));
    json::Writer inputs;
    inputs.begin_array();
    std::size_t placeholders = 0;
    auto add = [&](const InputSpec& input) {
      if (input.kind == InputSpec::Kind::constant_input) {
        writer_.write_argument(inputs, *graph_.output_node(), input.constant);
        return;
      }
      writer_.add_placeholder(inputs, placeholder(input));
      ++placeholders;
    };
    if (!graph_.output_node()) throw FormatError("[save] the graph has no output node");
    each_input(true, add);
    for (const LiftedInput& input : lifted_) writer_.add_lifted_input(inputs, input.name, input.type);
    each_input(false, add);
    if (placeholders != graph_.placeholders().size())
      throw FormatError("[save] " + std::to_string(graph_.placeholders().size()) + " placeholders, but " +
                        std::to_string(placeholders) + " input specs that name one");
    writer_.write(json_, std::move(inputs.end()));
  }

  void write_signature() {
    json_.key("input_specs").begin_array();
    each_input(true, [&](const InputSpec& input) {
      json_.begin_object()
          .key("token")
          .begin_object()
          .key("arg")
          .begin_object()
          .member("name", input.name)
          .end()
          .end()
          .end();
    });
    for (const LiftedInput& input : lifted_) write_lifted_spec(input);
    each_input(false, [&](const InputSpec& input) { write_input_spec(input); });
    json_.end().key("output_specs").begin_array();
    const Node& output = *graph_.output_node();
    const Argument::List& results = *output.arg(0).list();
    if (results.size() != program_.outputs.size())
      fail_saving(output, std::to_string(results.size()) + " results, but " + std::to_string(program_.outputs.size()) +
                              " output specs");
    for (std::size_t i = 0; i < results.size(); ++i) write_output_spec(program_.outputs[i], results[i]);
    json_.end();
  }

  void write_lifted_spec(const LiftedInput& input) {
    const Attribute& attribute = *input.attribute;
    json_.begin_object();
    switch (attribute.kind) {
      case AttributeKind::parameter:
        json_.key("parameter").begin_object().member("parameter_name", attribute.name);
        break;
      case AttributeKind::buffer:
        json_.key("buffer")
            .begin_object()
            .member("buffer_name", attribute.name)
            .member("persistent", attribute.persistent);
        break;
      case AttributeKind::constant:
        json_.key("tensor_constant").begin_object().member("tensor_constant_name", attribute.name);
        break;
      case AttributeKind::custom_obj:
        json_.key("custom_obj").begin_object().member("custom_obj_name", attribute.name);
        break;
    }
    json_.key("arg").begin_object().member("name", input.name);
    if (const auto* object = std::get_if<ValueType::CustomObject>(&input.type.v))
      json_.member("class_fqn", object->class_fqn);
    json_.end().end().end();
  }

  void write_input_spec(const InputSpec& input) {
    json_.begin_object();
    if (input.kind == InputSpec::Kind::constant_input) {
      json_.key("constant_input").begin_object().member("name", input.name).key("value");
      writer_.write_argument(json_, *graph_.output_node(), input.constant);
    } else {
      writer_.write_reference_to(json_.key("user_input").begin_object().key("arg"), placeholder(input));
    }
    json_.end().end();
  }

  void write_output_spec(const OutputSpec& spec, const Argument& result) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTags = {
        {{"user_output", ""},
         {"loss_output", ""},
         {"buffer_mutation", "buffer_name"},
         {"user_input_mutation", "user_input_name"},
         {"parameter_mutation", "parameter_name"},
         {"gradient_to_parameter", "parameter_name"},
         {"gradient_to_user_input", "user_input_name"},
         {"token", ""}}};
    const auto& [tag, target_key] = kTags[static_cast<std::size_t>(spec.kind)];
    json_.begin_object().key(tag).begin_object().key("arg");
    if (spec.kind == OutputSpec::Kind::user_output) {
      writer_.write_argument(json_, *graph_.output_node(), result);
    } else {
      const Node* node = result.node();
      if (!node) fail_saving(*graph_.output_node(), "expected a node as " + std::string(tag));
      json_.begin_object().member("name", writer_.name_of(*node)).end();
    }
    if (!target_key.empty()) json_.member(target_key, spec.target);
    json_.end().end();
  }

  // For programs that do not come from a .pt2: all inputs positional, a tuple of results.
  void write_module_call_graph() {
    auto leaf = R"({"type":null,"context":null,"children_spec":[]})";
    auto tuple = [&](std::size_t count) {
      std::string text = R"({"type":"builtins.tuple","context":"null","children_spec":[)";
      for (std::size_t i = 0; i < count; ++i) text += (i ? "," : "") + std::string(leaf);
      return text + "]}";
    };
    std::size_t inputs = 0;
    each_input(false, [&](const InputSpec&) { ++inputs; });
    const auto results = static_cast<std::size_t>(
        std::count_if(program_.outputs.begin(), program_.outputs.end(), [](const OutputSpec& spec) {
          return spec.kind == OutputSpec::Kind::user_output || spec.kind == OutputSpec::Kind::loss_output;
        }));
    json_.key("module_call_graph").begin_array().begin_object().member("fqn", "").key("signature").begin_object();
    json_.key("inputs").begin_array().end().key("outputs").begin_array().end();
    json_.member("in_spec", R"([1,{"type":"builtins.tuple","context":"null","children_spec":[)" + tuple(inputs) +
                                R"(,{"type":"builtins.dict","context":"[]","children_spec":[]}]}])");
    json_.member("out_spec", "[1," + tuple(results) + "]").key("forward_arg_names").begin_array();
    each_input(false, [&](const InputSpec& input) { json_.string(input.name); });
    json_.end().end().end().end();
  }

  const Program& program_;
  const Graph& graph_;
  GraphWriter writer_;
  json::Writer json_;
  std::vector<LiftedInput> lifted_;
  FlatMap<std::string_view, std::string_view> names_;  // attribute -> lifted name
};

}  // namespace

json::TextBuffer write_program(const Program& program, json::TextBuffer text) {
  return ProgramWriter(program, std::move(text)).write();
}

}  // namespace qdq::pt2
