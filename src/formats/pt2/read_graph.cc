#include "formats/pt2/read_graph.h"

#include "formats/pt2/schema.h"
#include "ops/schema.h"

namespace qdq::pt2 {
namespace {

// Neighbours often have the same traces: what `before` has as well is shared with it.
Metadata read_metadata(json::Element element, const Metadata& before) {
  Metadata meta;
  for (const auto& item : json::object(element))
    json::within([&] { return json::member(item.key); },
                 [&] {
                   const std::string_view text = json::string(item.value);
                   const std::string* known = before.find(item.key);
                   if (known && *known == text)
                     meta.copy_entry(item.key, before);
                   else
                     meta.set(item.key, std::string(text));
                 });
  return meta;
}

// Reads one node of the file: the call and, when it gives several values, the getitem nodes that torch folds away.
class NodeReader {
 public:
  NodeReader(const ValueTable& values, Scope& scope, Graph& graph) : values_(values), scope_(scope), graph_(graph) {}

  void read(json::Element element) {
    const json::Object object = json::object(element);
    const std::string_view text = json::at(object, "target", json::string);
    const auto target = target_from_file(text);
    if (!target)
      json::fail("expected an operator of torch.ops, torch, _operator, math or an extension, found '" +
                 std::string(text) + "'");
    read_inputs(*target, json::field(object, "inputs"));
    if (const auto flag = json::find(object, "is_hop_single_tensor_return")) single_return_ = json::boolean(*flag);
    if (const auto name = json::find(object, "name")) name_ = json::string(*name);
    outputs_ = json::array(json::field(object, "outputs"));
    Node& node = create(*target);
    const Node* const before = node.prev();
    node.meta = json::at(object, "metadata", [&](json::Element metadata) {
      return read_metadata(metadata, before ? before->meta : Metadata());
    });
    if (!find_schema(*target)) node.arg_names = std::move(arg_names_);
    node.is_hop_single_tensor_return = single_return_;
    json::within([] { return std::string(".outputs"); }, [&] { read_outputs(node); });
  }

 private:
  void read_inputs(const std::string& target, json::Element inputs) {
    json::within([] { return std::string(".inputs"); },
                 [&] {
                   json::each(inputs, [&](json::Element element) {
                     const json::Object input = json::object(element);
                     std::string name(json::at(input, "name", json::string));
                     Argument argument =
                         json::at(input, "arg", [&](json::Element value) { return read_argument(value, scope_); });
                     const auto kind = json::find(input, "kind");
                     if (kind && json::integer(*kind) == kKeyword && !name.empty()) {
                       kwargs_.emplace_back(std::move(name), std::move(argument));
                       return;
                     }
                     if (!kwargs_.empty() && !is_higher_order(target))
                       json::fail("a positional argument follows keyword arguments");
                     args_.push_back(std::move(argument));
                     arg_names_.push_back(std::move(name));
                   });
                 });
  }

  // True when the one output is the call's own value rather than the only item of a list.
  bool has_own_value() const {
    if (outputs_.size() != 1) return false;
    const auto [tag, value] = json::single(outputs_.at(0).value_unsafe());
    return names_a_value(tag) && single_return_.value_or(true);
  }

  Node& create(const std::string& target) {
    if (has_own_value()) {
      const auto [tag, value] = json::single(outputs_.at(0).value_unsafe());
      Produced produced = read_produced(tag, value, values_);
      Node& node = create_named(graph_, NodeKind::call_function, target, std::move(args_), produced.name);
      if (!kwargs_.empty()) node.set_kwargs(std::move(kwargs_));
      node.type = std::move(produced.type);
      scope_.define(produced.name, node);
      return node;
    }
    if (name_.empty()) return graph_.call_function(target, std::move(args_), std::move(kwargs_));
    Node& node = create_named(graph_, NodeKind::call_function, target, std::move(args_), name_);
    if (!kwargs_.empty()) node.set_kwargs(std::move(kwargs_));
    return node;
  }

  void read_outputs(Node& node) {
    if (outputs_.size() == 0 || has_own_value()) return;
    if (outputs_.size() == 1) {
      const auto [tag, value] = json::single(outputs_.at(0).value_unsafe());
      if (tag == "as_none") return;
      if (tag == "as_tensors") {
        node.type.v = read_items(node, "as_tensor", json::array(value));
        scope_.define(node.name(), node);
        return;
      }
    }
    ValueType::List types;
    std::int64_t index = 0;
    for (json::Element output : outputs_)
      json::within([&] { return json::item(static_cast<std::size_t>(index)); },
                   [&] { types.push_back(read_item(node, output, index++)); });
    node.type.v = std::move(types);
    scope_.define(node.name(), node);
  }

  // A list among the outputs: its items are all of one kind, without tags of their own.
  ValueType::List read_items(Node& list, std::string_view tag, json::Array items) {
    ValueType::List types;
    std::int64_t index = 0;
    for (json::Element item : items) {
      Produced produced = read_produced(tag, item, values_);
      getitem(list, index++, produced);
      types.push_back(std::move(produced.type));
    }
    return types;
  }

  ValueType read_item(Node& node, json::Element output, std::int64_t index) {
    const auto [tag, value] = json::single(output);
    if (names_a_value(tag)) {
      Produced produced = read_produced(tag, value, values_);
      getitem(node, index, produced);
      return std::move(produced.type);
    }
    if (tag == "as_none") {
      Node& none = graph_.create(NodeKind::call_function, kGetItem, {node, index}, {}, "as_none");
      none.meta = node.meta;
      return {};
    }
    if (tag == "as_tensors" || tag == "as_sym_ints" || tag == "as_sym_floats") {
      Node& list = graph_.call_function(kGetItem, {node, index});
      list.meta = node.meta;
      list.type.v = read_items(list, tag.substr(0, tag.size() - 1), json::array(value));
      return list.type;
    }
    json::fail("unknown kind of output '" + std::string(tag) + "'");
  }

  void getitem(Node& node, std::int64_t index, const Produced& produced) {
    Node& item = create_named(graph_, NodeKind::call_function, kGetItem, {node, index}, produced.name);
    item.meta = node.meta;
    item.type = produced.type;
    scope_.define(produced.name, item);
  }

  const ValueTable& values_;
  Scope& scope_;
  Graph& graph_;
  Argument::List args_;
  Argument::Dict kwargs_;
  std::vector<std::string> arg_names_;
  std::optional<bool> single_return_;
  std::string_view name_;
  json::Array outputs_;
};

}  // namespace

void Scope::define(std::string_view name, Node& node) {
  if (!nodes_.emplace(name, &node).second) json::fail("a second value has the name '" + std::string(name) + "'");
}

Node* Scope::find(std::string_view name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : found->second;
}

Node& Scope::lookup(std::string_view name) const {
  if (Node* node = find(name)) return *node;
  json::fail("'" + std::string(name) + "' is not defined before this use");
}

bool names_a_value(std::string_view tag) {
  return tag == "as_tensor" || tag == "as_sym_int" || tag == "as_sym_float" || tag == "as_sym_bool" ||
         tag == "as_custom_obj";
}

Produced read_produced(std::string_view tag, json::Element value, const ValueTable& values) {
  const bool symbolic = tag != "as_tensor" && tag != "as_custom_obj";
  const std::string_view name = json::string(json::field(json::object(value), symbolic ? "as_name" : "name"));
  ValueTable::Kind kind = ValueTable::Kind::tensor;
  if (tag == "as_sym_int") kind = ValueTable::Kind::sym_int;
  if (tag == "as_sym_float") kind = ValueTable::Kind::sym_float;
  if (tag == "as_sym_bool") kind = ValueTable::Kind::sym_bool;
  if (tag == "as_custom_obj") kind = ValueTable::Kind::custom_obj;
  return {name, values.type(name, kind)};
}

Node& create_named(Graph& graph, NodeKind kind, std::string_view target, Argument::List args, std::string_view name) {
  if (graph.find(name)) json::fail("a second node has the name '" + std::string(name) + "'");
  Node& node = graph.create(kind, target, std::move(args), {}, name);
  if (node.name() != name) json::fail("'" + std::string(name) + "' is no legal name of a node");
  return node;
}

void read_nodes_and_outputs(json::Object json, const ValueTable& values, Scope& scope, Graph& graph) {
  std::size_t index = 0;
  for (json::Element element : json::array(json::field(json, "nodes"))) {
    auto where = [&] {
      std::string segment = ".nodes" + json::item(index);
      std::string_view name;
      json::Element named;
      if (!element["name"].get(named) && !named.get(name)) segment += " '" + std::string(name.substr(0, 80)) + "'";
      return segment;
    };
    json::within(where, [&] { NodeReader(values, scope, graph).read(element); });
    ++index;
  }
  Argument::List results;
  json::at(json, "outputs", [&](json::Element outputs) {
    json::each(outputs, [&](json::Element output) { results.push_back(read_argument(output, scope)); });
  });
  graph.output(std::move(results));
  if (const auto flag = json::find(json, "is_single_tensor_return"))
    graph.is_single_tensor_return = json::boolean(*flag);
}

}  // namespace qdq::pt2
