#include "formats/pt2/write_graph.h"

#include "formats/pt2/schema.h"

namespace qdq::pt2 {
namespace {

bool is_getitem(const Node& node) { return node.is(kGetItem); }

bool is_value(const ValueType& type) { return type.known() && !type.list(); }

}  // namespace

void fail_saving(const Node& node, const std::string& what) {
  throw FormatError("[save] " + node.describe() + ": " + what);
}

std::string_view GraphWriter::name_of(const Node& node) const {
  if (node.kind() != NodeKind::get_attr && !is_getitem(node)) return node.name();
  const auto renamed = renamed_.find(&node);
  return renamed == renamed_.end() ? std::string_view(node.name()) : renamed->second;
}

void GraphWriter::write_reference_to(json::Writer& json, const Node& node) const {
  write_reference(json, name_of(node), node.type);
}

void GraphWriter::add_lifted_input(json::Writer& inputs, std::string_view name, const ValueType& type) {
  values_.add(name, type);
  write_reference(inputs, name, type);
}

void GraphWriter::add_placeholder(json::Writer& inputs, const Node& placeholder) {
  if (!placeholder.args().empty()) {  // a literal that a higher-order op hands to its body
    write_argument(inputs, placeholder, placeholder.arg(0));
    return;
  }
  if (!is_value(placeholder.type))
    fail_saving(placeholder, "the type of this input is not known, which the format needs");
  values_.add(placeholder.name(), placeholder.type);
  write_reference_to(inputs, placeholder);
}

void GraphWriter::write(json::Writer& json, json::Writer&& inputs) {
  const Node* output = graph_.output_node();
  if (!output) throw FormatError("[save] the graph has no output node");
  for (const Node& node : graph_.nodes()) collect_getitems(node);
  json.key("inputs").raw(std::move(inputs)).key("outputs").begin_array();
  const auto* results = output->args().empty() ? nullptr : output->arg(0).list();
  if (!results) fail_saving(*output, "expected a list of results");
  for (const Argument& result : *results) write_argument(json, *output, result);
  json.end().key("nodes").begin_array();
  for (const Node& node : graph_.nodes()) write_node(json, node);
  json.end();
  values_.write_to(json);
  json.member("is_single_tensor_return", graph_.is_single_tensor_return);
}

void GraphWriter::collect_getitems(const Node& node) {
  if (!is_getitem(node)) return;
  const Node* list = node.input(0);
  const std::int64_t* index = node.args().size() == 2 ? node.arg(1).get_if<std::int64_t>() : nullptr;
  if (!list || !index) fail_saving(node, "expected getitem of a node and a number");
  const ValueType::List* types = list->type.list();
  if (!types) fail_saving(node, "getitem of " + list->describe() + ", whose type is not known to be a list");
  const auto size = static_cast<std::int64_t>(types->size());
  const std::int64_t at = *index < 0 ? *index + size : *index;
  if (at < 0 || at >= size)
    fail_saving(node, "index " + std::to_string(*index) + " of a list of " + std::to_string(size));
  const auto [first, inserted] = items_[list].emplace(static_cast<std::size_t>(at), &node);
  if (!inserted) renamed_[&node] = first->second->name();
}

const Node* GraphWriter::item_of(const Node& list, std::size_t index) const {
  const auto items = items_.find(&list);
  if (items == items_.end()) return nullptr;
  const auto item = items->second.find(index);
  return item == items->second.end() ? nullptr : item->second;
}

std::string GraphWriter::output_name(const Node* item, const std::string& otherwise) const {
  if (item) return item->name();
  std::string name = otherwise;
  while (graph_.find(name)) name += "_";
  return name;
}

void GraphWriter::write_node(json::Writer& json, const Node& node) {
  switch (node.kind()) {
    case NodeKind::placeholder:
    case NodeKind::output: return;
    case NodeKind::get_attr:
      if (!renamed_.contains(&node)) fail_saving(node, "a tensor can only be read in the main graph");
      return;
    case NodeKind::call_module: fail_saving(node, "observers cannot be saved; convert the program first");
    case NodeKind::call_function: break;
  }
  if (is_getitem(node)) return;
  const OpSchema* schema = find_schema(node.target());  // files name overloads, a node's target may be a packet
  const std::string& target = schema ? schema->target : node.target();
  json.begin_object().member("target", target_to_file(target)).key("inputs").begin_array();
  write_inputs(json, node);
  json.end().key("outputs").begin_array();
  write_outputs(json, node);
  json.end().key("metadata").begin_object();
  for (const auto& [key, value] : node.meta) json.member(key, value);
  json.end().key("is_hop_single_tensor_return");
  std::optional<bool> single = node.is_hop_single_tensor_return;
  if (!single && is_higher_order(node.target())) single = node.type.tensor() != nullptr;
  if (single)
    json.boolean(*single);
  else
    json.null();
  json.member("name", node.name()).end();
}

void GraphWriter::write_inputs(json::Writer& json, const Node& node) const {
  const OpSchema* schema = find_schema(node.target());
  const bool nameless = !schema && node.arg_names.size() < node.args().size();
  if (nameless && !is_higher_order(node.target()))
    fail_saving(node, "neither the operator's schema nor the names of its arguments are known");
  auto write = [&](std::string_view name, const Argument& argument, std::string_view type, std::int64_t kind) {
    json.begin_object().member("name", name).key("arg");
    write_argument(json, node, argument, type);
    json.member("kind", kind).end();
  };
  for (std::size_t i = 0; i < node.args().size(); ++i) {
    if (schema) {
      if (i >= schema->args.size()) fail_saving(node, "more arguments than " + schema->text);
      write(schema->args[i].name, node.args()[i], schema->args[i].type, kPositional);
    } else {
      write(nameless ? "" : node.arg_names[i], node.args()[i], "", kPositional);
    }
  }
  for (const auto& [name, argument] : node.kwargs()) {
    const ArgSchema* row = schema ? schema->find_arg(name) : nullptr;
    if (schema && !row) fail_saving(node, "no argument '" + name + "' in " + schema->text);
    write(name, argument, row ? std::string_view(row->type) : "", kKeyword);
  }
}

void GraphWriter::write_outputs(json::Writer& json, const Node& node) {
  const OpSchema* schema = find_schema(node.target());
  if (const ValueType::List* types = node.type.list()) {
    // One result that is a list, or several results. For ops that we do not know, torch reads both the same way unless
    // there is only one.
    const bool hop = is_higher_order(node.target());
    const bool one_list = schema ? schema->returns.size() == 1 : types->size() == 1 && !hop;
    if (one_list) json.begin_object().key("as_tensors").begin_array();
    write_items(json, node, node.name() + "_unused_", *types, !one_list);
    if (one_list) json.end().end();
    return;
  }
  if (schema && schema->returns.size() > 1)
    fail_saving(node, "the types of its " + std::to_string(schema->returns.size()) +
                          " results are not known, which the format needs");
  if (node.type.known()) {
    values_.add(node.name(), node.type);
    write_reference_to(json, node);
    return;
  }
  if (node.num_users() > 0 || (schema && !schema->returns.empty()))
    fail_saving(node, "the type of its result is not known, which the format needs");
  if (!schema && is_higher_order(node.target())) json.begin_object().member("as_none", true).end();
}

// The results of `list`: {"as_tensor": {...}} and the like when `tagged`, else bare {"name": ...}.
void GraphWriter::write_items(json::Writer& json, const Node& list, const std::string& unused_prefix,
                              const ValueType::List& types, bool tagged) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Node* item = item_of(list, i);
    if (const ValueType::List* inner = types[i].list()) {
      if (!tagged) fail_saving(list, "its results are lists of lists, which the format does not have");
      json.begin_object().key("as_tensors").begin_array();
      write_items(json, item ? *item : list, unused_prefix + std::to_string(i) + "_", *inner, false);
      json.end().end();
      continue;
    }
    const ValueType& type = item && item->type.known() ? item->type : types[i];
    if (!type.known()) {
      if (!tagged)
        fail_saving(list, "the type of its result " + std::to_string(i) + " is not known, which the format needs");
      json.begin_object().member("as_none", true).end();
      continue;
    }
    if (!is_value(type) || (!tagged && !type.tensor()))
      fail_saving(list, "its result " + std::to_string(i) + " is of a kind that the format does not have here");
    const std::string name = output_name(item, unused_prefix + std::to_string(i));
    values_.add(name, type);
    if (tagged)
      write_reference(json, name, type);
    else
      json.begin_object().member("name", name).end();
  }
}

}  // namespace qdq::pt2
