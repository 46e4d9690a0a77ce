#include "cli/comparison.h"

#include <fmt/format.h>

#include <optional>

#include "cli/argmax_agreement.h"
#include "cli/progress.h"
#include "qdq/numeric_debugger.h"

namespace qdq::cli {

Comparison compare_programs(const Program& reference, const Program& program, const Batches& batches,
                            const RunOptions& run, const CompareOptions& options) {
  const std::vector<std::string> names = output_names(reference);
  if (const std::size_t others = output_names(program).size(); names.size() != others)
    throw InvalidArgumentError(
        fmt::format("the reference program has {} outputs, the other one has {}", names.size(), others));
  Comparison result;
  for (const std::string& name : names) result.outputs.push_back({name, {}, {}});
  std::vector<ArgmaxAgreement> same_argmax(names.size());
  // The outputs are those of `qdq run`. What the debugger looks at is not fused and so not computed in integers.
  ExecutorOptions executor = run.executor();
  executor.refuse_nan = true;
  const auto first = make_executor(reference, executor);
  const auto second = make_executor(program, executor);
  std::optional<NumericDebugger> debugger;
  if (options.nodes)
    debugger.emplace(reference, program,
                     NumericDebuggerOptions{.executor = run.executor(), .own_errors = options.own_errors});
  Progress progress("compare", batches.samples(), !run.quiet);
  for (std::int64_t i = 0; i < batches.count(); ++i) {
    const std::vector<Tensor> inputs = batches.batch(i);
    const std::vector<Tensor> expected = first->run(inputs);
    const std::vector<Tensor> found = second->run(inputs);
    for (std::size_t k = 0; k < names.size(); ++k) {
      result.outputs[k].error.add(expected[k], found[k]);
      same_argmax[k].add(expected[k], found[k]);
    }
    if (debugger) debugger->add(inputs);
    progress.advance(batches.samples_in(i));
  }
  for (std::size_t k = 0; k < names.size(); ++k) result.outputs[k].same_argmax = same_argmax[k].share();
  if (!debugger) return result;
  result.nodes = debugger->nodes();
  std::erase_if(result.nodes, [](const NodeAccuracy& node) { return node.total.count() == 0; });
  return result;
}

}  // namespace qdq::cli
