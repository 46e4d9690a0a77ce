#pragma once
#include "qdq/accuracy.h"
#include "qdq/quantizer.h"

namespace qdq {

// `program` prepared and calibrated, with the algorithms that rewrite weights applied: what is left is convert.
PreparedProgram prepare_with(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                             const AccuracyOptions& accuracy, const ExecutorOptions& executor);

// The ops that a quantizer annotated, ranked by the SQNR of what each makes on float inputs, the least first.
struct RankedOp {
  std::string node;
  std::string op;
  double own_sqnr_db;
};
std::vector<RankedOp> rank_ops(const Program& program, const PreparedProgram& prepared,
                               const CalibrationBatches& batches, const ExecutorOptions& executor);

}  // namespace qdq
