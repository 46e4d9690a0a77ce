#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "qdq/graph.h"
#include "qdq/tensor.h"

namespace qdq {

enum class AttributeKind : std::uint8_t { parameter, buffer, constant, custom_obj };

// A tensor that belongs to the program: weight, running statistic, lifted literal.
struct Attribute {
  std::string name;  // dotted, as in the module: "features.0.conv.weight"
  AttributeKind kind = AttributeKind::parameter;
  Tensor value;            // undefined for custom objects
  bool persistent = true;  // buffers: part of the state dict
  bool requires_grad = false;
  std::string lifted_name;  // name of the input that torch.export lifted it to; empty: made on saving
};

// The attributes in order of insertion, found by name in O(1).
class Attributes {
 public:
  Attributes() = default;
  Attributes(Attributes&&) = default;
  Attributes& operator=(Attributes&&) = default;

  Attribute& add(Attribute attribute);  // throws InvalidArgumentError when the name is taken
  Attribute* find(std::string_view name);
  const Attribute* find(std::string_view name) const;
  const Tensor& tensor(std::string_view name) const;  // throws InvalidArgumentError when absent
  void erase(std::string_view name);
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // `prefix` followed by the first number from 0 that gives a name not taken.
  std::string unused_name(std::string_view prefix) const;
  std::size_t size() const { return items_.size(); }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::list<Attribute> items_;
  std::unordered_map<std::string_view, std::list<Attribute>::iterator> index_;  // by the items' own names
  mutable std::unordered_map<std::string, std::int64_t> next_unused_;
};

// What a value type says of `tensor`: its dtype, sizes, strides and offset.
TensorMeta meta_of(const Tensor& tensor);

// One result of the program, in the order of the output node's list.
struct OutputSpec {
  enum class Kind : std::uint8_t {
    user_output,
    loss_output,
    buffer_mutation,      // the value is written back to the buffer `target` after the run
    user_input_mutation,  // ... to the user input `target`
    parameter_mutation,
    gradient_to_parameter,
    gradient_to_user_input,
    token,
  };
  Kind kind = Kind::user_output;
  std::string target;
};

// One user-visible input, in order.
struct InputSpec {
  enum class Kind : std::uint8_t { user_input, constant_input, token };
  Kind kind = Kind::user_input;
  std::string name;   // of the placeholder (user_input, token) or of the argument (constant_input)
  Argument constant;  // constant_input: its value
};

struct SymbolRange {
  std::optional<std::int64_t> min;
  std::optional<std::int64_t> max;
};

// What a .pt2 file says beyond the graph, as JSON text that is written back unchanged ("module_call_graph",
// "opset_version", "verifiers", "guards_code", ...).
using Passthrough = std::map<std::string, std::string>;

// A captured network: graph, tensors and signature. Mirrors torch.export.ExportedProgram in the form of its
// `.module()`: parameters are get_attr nodes, not inputs.
class Program {
 public:
  Program() : graph_(std::make_shared<Graph>()) {}
  Program(Program&&) = default;
  Program& operator=(Program&&) = default;

  Graph& graph() { return *graph_; }
  const Graph& graph() const { return *graph_; }
  // A graph of its own, or the body of a higher-order op, which is then changed where it is.
  void set_graph(std::shared_ptr<Graph> graph) { graph_ = std::move(graph); }
  // Tensors are shared with the copy, never written through; a pass that changes one puts a new tensor in its place.
  Program clone(std::unordered_map<const Node*, Node*>* map = nullptr) const;

  // Tensor behind a get_attr node. Throws InvalidArgumentError when the program has no such attribute.
  const Tensor& tensor_of(const Node& get_attr) const { return attributes.tensor(get_attr.target()); }
  // A new attribute and the get_attr node that reads it, at the insertion point.
  Node& add_attribute(Attribute attribute);

  std::vector<InputSpec> inputs;
  std::vector<OutputSpec> outputs;
  Attributes attributes;
  std::map<std::string, SymbolRange> range_constraints;
  Passthrough passthrough;

 private:
  std::shared_ptr<Graph> graph_;
};

}  // namespace qdq
