#include "accuracy/quantize_with.h"

#include <algorithm>
#include <unordered_set>

#include "accuracy/copy_prepared.h"
#include "qdq/explain.h"
#include "qdq/numeric_debugger.h"

namespace qdq {

PreparedProgram prepare_with(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                             const AccuracyOptions& accuracy, const ExecutorOptions& executor) {
  Program improved = program.clone();
  improve_before_prepare(improved, quantizer, accuracy, batches, executor);
  PreparedProgram prepared = prepare(std::move(improved), quantizer);
  improve_before_calibrate(prepared, accuracy);
  prepared.set_executor(executor);
  for (const auto& batch : batches) prepared.calibrate(batch);
  improve_before_convert(prepared, accuracy, batches, executor);
  return prepared;
}

std::vector<RankedOp> rank_ops(const Program& program, const PreparedProgram& prepared,
                               const CalibrationBatches& batches, const ExecutorOptions& executor) {
  std::unordered_set<std::string> quantized;
  for (const ExplainedOp& op : explain(prepared))
    if (!op.inputs.empty()) quantized.insert(op.node->name());
  const Program converted = convert(copy_prepared(prepared));
  NumericDebugger debugger(program, converted, {.executor = executor, .own_errors = true});
  constexpr std::size_t kBatches = 4;  // enough to rank
  for (std::size_t i = 0; i < std::min(kBatches, batches.size()); ++i) debugger.add(batches[i]);
  std::vector<RankedOp> ranked;
  for (const NodeAccuracy& node : debugger.nodes())
    if (node.own && quantized.contains(node.nodes.other))
      ranked.push_back({node.nodes.other, node.nodes.op, node.own->sqnr_db()});
  std::ranges::stable_sort(ranked, {}, &RankedOp::own_sqnr_db);
  return ranked;
}

}  // namespace qdq
