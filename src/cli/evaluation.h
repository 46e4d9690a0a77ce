#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/batches.h"
#include "cli/usage.h"

namespace qdq::cli {

// How good a program is on data that was kept for that.
struct EvaluationOptions {
  std::optional<double> max_drop;
  std::string data;  // inputs, and for top1 an array "labels"
  std::string metric = "top1";
  bool sixteen_bits = false;
};
void add_evaluation_options(CLI::App& command, EvaluationOptions& options);

class Evaluation {
 public:
  // Reads the data for `program`. Throws UsageError for a metric that needs labels and data without.
  Evaluation(const Program& program, const EvaluationOptions& options, const RunOptions& run);

  // top1: how often the largest value of the first output stands where the label says, in percent.
  // agreement: the same with the float program's in the place of labels.
  // sqnr: of the first output against the float program's, in dB; at most 200.
  double score(const Program& program) const;

 private:
  std::string metric_;
  ExecutorOptions executor_;
  std::unique_ptr<Batches> batches_;
  std::vector<std::int64_t> labels_;
  std::vector<Tensor> expected_;  // the float program's first output for each batch
};

}  // namespace qdq::cli
