#pragma once
#include <vector>

#include "cli/batches.h"
#include "cli/usage.h"
#include "qdq/report.h"

namespace qdq::cli {

struct CompareOptions {
  bool nodes = true;        // not only the outputs
  bool own_errors = false;  // of the nodes as well; costs one more run
};

struct Comparison {
  std::vector<OutputAccuracy> outputs;
  std::vector<NodeAccuracy> nodes;  // in the order of the reference program; those that were compared
};

// Runs both programs on all batches, with progress on standard error. Throws InvalidArgumentError for programs with
// different numbers of outputs.
Comparison compare_programs(const Program& reference, const Program& program, const Batches& batches,
                            const RunOptions& run, const CompareOptions& options);

}  // namespace qdq::cli
