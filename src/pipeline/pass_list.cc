#include "pipeline/pass_list.h"

#include "passes/duplicate_dq.h"
#include "passes/eliminate_dead_code.h"
#include "passes/fold_constants.h"
#include "passes/fuse_batch_norm.h"
#include "passes/port_metadata.h"
#include "passes/remove_identity.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

// Passes that look at the graph alone.
PassFn on_graph(int (*pass)(Graph&)) {
  return [pass](Program& program) { return pass(program.graph()); };
}

}  // namespace

const std::vector<NamedPass>& pass_list() {
  static const std::vector<NamedPass> passes = {
      {"fuse_conv_bn", fuse_conv_bn},
      {"fuse_linear_bn", fuse_linear_bn},
      {"eliminate_dead_code", on_graph(eliminate_dead_code)},
      {"remove_identity", on_graph(remove_identity)},
      {"duplicate_dq", on_graph(duplicate_dq)},
      {"port_metadata", on_graph(port_metadata)},
      {"fold_constants", [](Program& program) { return fold_constants(program, evaluate); }},
      {"remove_dead_attributes", remove_dead_attributes},
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
