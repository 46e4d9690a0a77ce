#include "passes/fold_constants.h"

#include "base/flat_map.h"
#include "passes/qdq_ops.h"

namespace qdq {
namespace {

class Folder {
 public:
  Folder(Program& program, const Evaluate& evaluate) : program_(program), constants_(program, evaluate) {}

  int run() {
    int folded = 0;
    for (Node& node : program_.graph().nodes()) {
      if (!is_quantize(node) || !constants_.is_constant(node)) continue;
      freeze(node);
      ++folded;
    }
    return folded;
  }

 private:
  void freeze(Node& quantize) {
    Attribute frozen;
    frozen.name = program_.attributes.unused_name("_frozen_param");
    frozen.kind = AttributeKind::buffer;
    frozen.value = std::get<Tensor>(constants_.of(quantize).at(0).v);
    Node& constant = [&]() -> Node& {
      auto at = program_.graph().inserting_before(quantize);
      return program_.add_attribute(std::move(frozen));
    }();
    constant.meta = quantize.meta;
    const std::string name = quantize.name();
    quantize.replace_all_uses_with(constant);
    program_.graph().erase(quantize);
    program_.graph().rename(constant, name);
    // Large intermediate values are not needed again unless another chain shares them.
    constants_.forget();
  }

  Program& program_;
  ConstantValues constants_;
};

}  // namespace

int fold_constants(Program& program, const Evaluate& evaluate) { return Folder(program, evaluate).run(); }

int remove_dead_attributes(Program& program) {
  FlatSet<std::string_view> read;
  walk_subgraphs(program.graph(), [&](Graph& graph) {
    for (Node& node : graph.nodes()) {
      if (node.kind() != NodeKind::get_attr) continue;
      if (node.num_users() == 0)
        graph.erase(node);
      else
        read.insert(node.target());
    }
  });
  for (const OutputSpec& output : program.outputs)
    if (output.kind == OutputSpec::Kind::buffer_mutation || output.kind == OutputSpec::Kind::parameter_mutation)
      read.insert(output.target);
  std::vector<std::string> dead;
  for (const Attribute& attribute : program.attributes)
    if (!read.contains(attribute.name)) dead.push_back(attribute.name);
  for (const std::string& name : dead) program.attributes.erase(name);
  return static_cast<int>(dead.size());
}

}  // namespace qdq
