#pragma once
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/flat_map.h"
#include "formats/json/json_writer.h"
#include "formats/pt2/write_values.h"
#include "ops/schema.h"
#include "qdq/graph.h"

namespace qdq::pt2 {

// Writes one graph of the file: getitem nodes are folded into the outputs of their producer, which is how the file
// spells several results. Throws FormatError that names the node for what the format cannot say.
class GraphWriter {
 public:
  explicit GraphWriter(const Graph& graph) : graph_(graph) {}

  // The name under which a get_attr node's tensor is an input, for the main graph. The text must outlive the writer.
  void set_lifted_name(const Node& get_attr, std::string_view name) { renamed_[&get_attr] = name; }
  // An input that is no node: a tensor of the program. `inputs` is where references to the inputs are written.
  void add_lifted_input(json::Writer& inputs, std::string_view name, const ValueType& type);
  void add_placeholder(json::Writer& inputs, const Node& placeholder);

  // The members of the graph's object, `inputs` (an array, complete) among them. Once.
  void write(json::Writer& json, json::Writer&& inputs);

  // {"as_...": ...}. `type` is the schema's type of the argument, "" when unknown: it decides the kind of empty lists.
  void write_argument(json::Writer& json, const Node& user, const Argument& argument, std::string_view type = "") const;
  void write_reference_to(json::Writer& json, const Node& node) const;
  std::string_view name_of(const Node& node) const;  // in the file; final once write() has run

 private:
  void collect_getitems(const Node& node);
  void write_node(json::Writer& json, const Node& node);
  void write_inputs(json::Writer& json, const Node& node) const;
  void write_list(json::Writer& json, const Node& user, const Argument::List& list, std::string_view type) const;
  void write_outputs(json::Writer& json, const Node& node);
  void write_items(json::Writer& json, const Node& list, const std::string& unused_prefix, const ValueType::List& types,
                   bool tagged);
  std::string output_name(const Node* item, const std::string& otherwise) const;
  const Node* item_of(const Node& list, std::size_t index) const;

  const Graph& graph_;
  ValueSections values_;
  FlatMap<const Node*, std::string_view> renamed_;
  // For each producer of several results: the first getitem node of each index.
  std::unordered_map<const Node*, std::unordered_map<std::size_t, const Node*>> items_;
};

// "[save] 'node' (op) at file:line: what".
[[noreturn]] void fail_saving(const Node& node, const std::string& what);

}  // namespace qdq::pt2
