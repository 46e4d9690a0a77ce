// View ops run by their infer functions, which make the view.
#include <vector>

#include "reference/eval.h"

namespace qdq {
namespace {

std::vector<Value> eval_view(const Call& call) { return call.schema().infer(call); }

}  // namespace

KernelFamily view_kernels() {
  static const std::vector<KernelRow> rows = [] {
    std::vector<KernelRow> result;
    for (const OpSchema* schema : all_schemas())
      if (schema->traits.is_view) result.push_back({schema->target, eval_view});
    return result;
  }();
  return rows;
}

}  // namespace qdq
