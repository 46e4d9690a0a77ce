#include "numeric_debugger/cut_program.h"

#include "passes/eliminate_dead_code.h"

namespace qdq {

Program cut_program(const Program& program, const std::vector<std::string>& nodes) {
  Program cut = program.clone();
  Graph& graph = cut.graph();
  Node& output = *graph.output_node();
  Argument::List results;
  std::vector<OutputSpec> specs;
  const Argument::List& all = *output.arg(0).list();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (cut.outputs[i].kind != OutputSpec::Kind::buffer_mutation) continue;
    results.push_back(all[i]);
    specs.push_back(cut.outputs[i]);
  }
  output.set_args({Argument(results)});
  std::vector<Node*> returned;
  {
    const std::vector<Node*> placeholders = graph.placeholders();
    const auto behind_the_inputs =
        placeholders.empty() ? graph.inserting_before(*graph.first()) : graph.inserting_after(*placeholders.back());
    for (const std::string& name : nodes) {
      Node* node = graph.find(name);
      if (!node) throw InternalError("there is no node '" + name + "' to cut behind");
      const std::string input_name = name + "_reference";
      Node& input = graph.create(NodeKind::placeholder, input_name, {}, {}, input_name);
      input.type = node->type;
      node->replace_all_uses_with(input);
      cut.inputs.push_back({InputSpec::Kind::user_input, input.name(), {}});
      returned.push_back(node);
    }
  }
  results = *output.arg(0).list();  // those written back may read the inputs now
  for (Node* node : returned) {
    results.emplace_back(*node);
    specs.emplace_back();
  }
  output.set_args({Argument(std::move(results))});
  cut.outputs = std::move(specs);
  eliminate_dead_code(graph);
  return cut;
}

}  // namespace qdq
