#include "graph/verify.h"

#include <unordered_set>

namespace qdq {
namespace {

class Verifier {
 public:
  explicit Verifier(std::string_view stage) : stage_(stage) {}

  void graph(const Graph& graph) {
    std::size_t count = 0;
    for (const Node* node = graph.first(); node; node = node->next(), ++count) {
      if (count > graph.size()) fail("the list of nodes is longer than its size says");
      if (&node->graph() != &graph) fail(*node, "belongs to another graph");
      if (node->erased()) fail(*node, "is erased, yet in the list");
      if (graph.find(node->name()) != node) fail(*node, "its name finds another node");
      if (node->prev() ? node->prev()->next() != node : graph.first() != node)
        fail(*node, "its predecessor does not lead to it");
      kind(*node);
      inputs(*node, graph);
      for (const Argument& argument : node->args()) subgraphs(argument);
      for (const auto& [key, argument] : node->kwargs()) subgraphs(argument);
    }
    if (count != graph.size())
      fail("the list has " + std::to_string(count) + " nodes, its size says " + std::to_string(graph.size()));
    users(graph);
  }

  void program(const Program& program) {
    graph(program.graph());
    const Node* output = program.graph().output_node();
    if (!output) fail("the graph has no output node at its end");
    attributes(program);
    input_specs(program);
    output_specs(program, *output);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InternalError("[verify after " + stage_ + "] " + what);
  }
  [[noreturn]] void fail(const Node& node, const std::string& what) const { fail(node.describe() + ": " + what); }

  void kind(const Node& node) {
    if (node.target().empty()) fail(node, "has no target");
    const bool source = node.kind() == NodeKind::placeholder || node.kind() == NodeKind::get_attr;
    if (source && !node.inputs().empty()) fail(node, "reads other nodes, which its kind must not");
    if (!node.is_output()) return;
    if (node.next()) fail(node, "is not the last node");
    if (node.num_users() > 0) fail(node, "is used by '" + node.users().front()->name() + "'");
    if (node.args().size() != 1 || !node.args()[0].list()) fail(node, "expected one argument, the list of results");
  }

  void inputs(const Node& node, const Graph& graph) {
    std::unordered_set<const Node*> in_arguments;
    const auto check = [&](const Node& producer) {
      if (&producer.graph() != &graph) fail(node, "reads '" + producer.name() + "' of another graph");
      if (producer.erased()) fail(node, "reads '" + producer.name() + "', which is erased");
      if (!producer.is_before(node)) fail(node, "reads '" + producer.name() + "', which comes after it");
      in_arguments.insert(&producer);
    };
    for (const Argument& argument : node.args()) for_each_node(argument, check);
    for (const auto& [key, argument] : node.kwargs()) for_each_node(argument, check);
    const auto edges = node.inputs();
    if (edges.size() != in_arguments.size()) fail(node, "its edges and its arguments disagree");
    for (const Node* producer : edges)
      if (!in_arguments.contains(producer))
        fail(node, "has an edge from '" + producer->name() + "' but no such argument");
    edges_ += edges.size();
  }

  // With inputs() right for every node, the lists of users are right when their consumers live in this graph, have the
  // edge and the counts agree.
  void users(const Graph& graph) {
    std::size_t total = 0;
    for (const Node* node = graph.first(); node; node = node->next()) {
      const auto users = node->users();
      if (users.size() != node->num_users()) fail(*node, "its list of users and its count disagree");
      for (const Node* user : users)
        if (user->erased() || &user->graph() != &graph)
          fail(*node, "has the user '" + user->name() + "', which is not in the graph");
      total += users.size();
    }
    if (total != edges_)
      fail("the graph has " + std::to_string(edges_) + " edges to inputs, " + std::to_string(total) + " to users");
  }

  void subgraphs(const Argument& argument) {
    if (const auto* sub = argument.get_if<Argument::Subgraph>()) {
      if (!sub->graph) fail("the subgraph '" + sub->name + "' is missing");
      Verifier(stage_ + ", subgraph '" + sub->name + "'").graph(*sub->graph);
    } else if (const auto* list = argument.list()) {
      for (const Argument& item : *list) subgraphs(item);
    } else if (const auto* dict = argument.get_if<Argument::Dict>()) {
      for (const auto& [key, item] : *dict) subgraphs(item);
    }
  }

  void attributes(const Program& program) {
    for (const Node& node : program.graph().nodes()) {
      if (node.kind() != NodeKind::get_attr) continue;
      const Attribute* attribute = program.attributes.find(node.target());
      if (!attribute) fail(node, "the program has no attribute of this name");
      const TensorMeta* type = node.type.tensor();
      if (!type || !attribute->value.defined()) continue;
      if (type->dtype != attribute->value.dtype())
        fail(node, "its type says " + std::string(name(type->dtype)) + ", the tensor is " +
                       std::string(name(attribute->value.dtype())));
      if (type->sizes.size() != attribute->value.sizes().size())
        fail(node, "its type has " + std::to_string(type->sizes.size()) + " dimensions, the tensor " +
                       to_string(attribute->value.sizes()));
      for (std::size_t d = 0; d < type->sizes.size(); ++d)
        if (!type->sizes[d].is_symbolic() && type->sizes[d].value != attribute->value.sizes()[d])
          fail(node, "dimension " + std::to_string(d) + " of its type is " + std::to_string(type->sizes[d].value) +
                         ", the tensor is " + to_string(attribute->value.sizes()));
    }
  }

  void input_specs(const Program& program) {
    std::unordered_set<const Node*> named;
    for (const InputSpec& spec : program.inputs) {
      if (spec.kind == InputSpec::Kind::constant_input) continue;
      const Node* node = program.graph().find(spec.name);
      if (!node || node->erased() || node->kind() != NodeKind::placeholder)
        fail("the input '" + spec.name + "' has no placeholder");
      if (!named.insert(node).second) fail(*node, "two inputs name it");
    }
    for (const Node* node : program.graph().placeholders())
      if (!named.contains(node)) fail(*node, "no input names it");
  }

  void output_specs(const Program& program, const Node& output) {
    const auto& results = *output.args()[0].list();
    if (results.size() != program.outputs.size())
      fail(output, std::to_string(results.size()) + " results, but " + std::to_string(program.outputs.size()) +
                       " output specs");
    for (const OutputSpec& spec : program.outputs) {
      const bool to_attribute =
          spec.kind == OutputSpec::Kind::buffer_mutation || spec.kind == OutputSpec::Kind::parameter_mutation;
      if (to_attribute && !program.attributes.contains(spec.target))
        fail(output, "a result goes back to '" + spec.target + "', an attribute that the program does not have");
      if (spec.kind != OutputSpec::Kind::user_input_mutation) continue;
      const Node* input = program.graph().find(spec.target);
      if (!input || input->erased() || input->kind() != NodeKind::placeholder)
        fail(output, "a result goes back to '" + spec.target + "', which is no input");
    }
  }

  std::string stage_;
  std::size_t edges_ = 0;
};

}  // namespace

void verify(const Graph& graph, std::string_view stage) { Verifier(std::string(stage)).graph(graph); }
void verify(const Program& program, std::string_view stage) { Verifier(std::string(stage)).program(program); }

}  // namespace qdq
