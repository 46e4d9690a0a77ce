#include "pipeline/pass_list.h"

#include "passes/eliminate_dead_code.h"
#include "passes/remove_identity.h"

namespace qdq {
namespace {

// Passes that look at the graph alone.
PassFn on_graph(int (*pass)(Graph&)) {
  return [pass](Program& program) { return pass(program.graph()); };
}

}  // namespace

const std::vector<NamedPass>& pass_list() {
  static const std::vector<NamedPass> passes = {
      {"eliminate_dead_code", on_graph(eliminate_dead_code)},
      {"remove_identity", on_graph(remove_identity)},
  };
  return passes;
}

const PassFn* find_pass(std::string_view name) {
  const std::string wanted = pass_name(name);
  for (const NamedPass& pass : pass_list())
    if (pass.name == wanted) return &pass.run;
  return nullptr;
}

}  // namespace qdq
