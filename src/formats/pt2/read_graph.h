#pragma once
#include <string_view>

#include "base/flat_map.h"
#include "formats/json/json.h"
#include "formats/pt2/read_values.h"
#include "qdq/graph.h"

namespace qdq::pt2 {

// The named values of one graph while it is read: what arguments may refer to.
class Scope {
 public:
  void define(std::string_view name, Node& node);  // Error when the name is taken
  Node& lookup(std::string_view name) const;       // Error when nothing before has this name
  Node* find(std::string_view name) const;         // null when absent

 private:
  FlatMap<std::string_view, Node*> nodes_;
};

// One Argument union. Subgraphs are read with their own scope. Throws json::Error.
Argument read_argument(json::Element element, const Scope& scope);

// Reads the nodes and the outputs of a graph whose inputs are in `scope` already: multi-output nodes get their getitem
// nodes back, the output node receives one list.
void read_nodes_and_outputs(json::Object json, const ValueTable& values, Scope& scope, Graph& graph);

// The type of a value-producing argument ("as_tensor", "as_sym_int", ...) and its name.
struct Produced {
  std::string_view name;
  ValueType type;
};
Produced read_produced(std::string_view tag, json::Element value, const ValueTable& values);
// True for the tags that name one value.
bool names_a_value(std::string_view tag);

// create() under exactly this name. Error when the name is taken or no identifier.
Node& create_named(Graph& graph, NodeKind kind, std::string_view target, Argument::List args, std::string_view name);

}  // namespace qdq::pt2
