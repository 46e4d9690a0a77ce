#include "passes/duplicate_dq.h"
#include "passes/eliminate_dead_code.h"
#include "passes/fold_constants.h"
#include "passes/fold_conv_bn_qat.h"
#include "passes/fuse_batch_norm.h"
#include "passes/fuse_conv_bn_qat.h"
#include "passes/inline_set_grad_enabled.h"
#include "passes/lift_loop_attributes.h"
#include "passes/move_to_eval.h"
#include "passes/port_metadata.h"
#include "passes/reference_representation_rewrite.h"
#include "passes/remove_identity.h"
#include "pipeline/evaluate_constant.h"
#include "qdq/pass_manager.h"

namespace qdq {
namespace {

// Passes that look at the graph alone.
PassFn on_graph(int (*pass)(Graph&)) {
  return [pass](Program& program) { return pass(program.graph()); };
}

}  // namespace

const std::vector<NamedPass>& all_passes() {
  static const std::vector<NamedPass> passes = {
      {"duplicate_dq", "Give every annotated consumer a dequantize of its own", on_graph(duplicate_dq)},
      {"eliminate_dead_code", "Remove ops whose results nobody uses", on_graph(eliminate_dead_code)},
      {"fold_constants", "Store quantized weights instead of quantizing them in every run",
       [](Program& program) { return fold_constants(program, evaluate_constant); }},
      {"fold_conv_bn_qat", "Fold the batch norms that trained as one with their convolutions", fold_conv_bn_qat},
      {"fuse_conv_bn", "Fold a batch norm into the convolution before it", fuse_conv_bn},
      {"fuse_conv_bn_qat", "Let convolutions train as one with their batch norms", on_graph(fuse_conv_bn_qat)},
      {"fuse_linear_bn", "Fold a batch norm into the linear before it", fuse_linear_bn},
      {"inline_set_grad_enabled", "Put the ops of torch.no_grad() blocks in line with the others",
       on_graph(inline_set_grad_enabled)},
      {"lift_loop_attributes", "Let bodies of loops read their tensors through the loop's arguments",
       on_graph(lift_loop_attributes)},
      {"move_to_eval", "Switch dropouts and batch norms to evaluation", on_graph(move_to_eval)},
      {"move_to_train", "Switch dropouts and batch norms to training", on_graph(move_to_train)},
      {"port_metadata", "Give quantizes and dequantizes the metadata of the op that they serve",
       on_graph(port_metadata)},
      {"reference_representation_rewrite", "Write quantized ops out in integer arithmetic",
       on_graph(reference_representation_rewrite)},
      {"remove_dead_attributes", "Drop tensors that no op reads", remove_dead_attributes},
      {"remove_identity", "Remove ops that return their input unchanged", on_graph(remove_identity)},
  };
  return passes;
}

const NamedPass* find_pass(std::string_view name) {
  const std::string wanted = pass_name(name);
  for (const NamedPass& pass : all_passes())
    if (pass.name == wanted) return &pass;
  return nullptr;
}

}  // namespace qdq
